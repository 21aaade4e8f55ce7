//! The reboot in the middle of a node's tests.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::systemd::{systemctl, write_policy};

/// Is there after the reboot, and says whether all went well before.
const BEFORE: &str = "/var/lib/netadmin-test-before";

/// Whether all went well before the reboot; `None` if it is still to come.
pub fn before() -> Result<Option<bool>> {
    if !Path::new(BEFORE).exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(BEFORE).context("read what was before the reboot")?;
    Ok(Some(text == "well"))
}

/// What the policy file holds after the reboot.
pub const BROKEN: &str = "version = 1\nnosuchkey = 1\n";

/// Reboots, with a policy file that cannot be used any more; this process is
/// started again then, and not before.
pub fn reboot(went_well: bool) -> Result<()> {
    fs::write(BEFORE, if went_well { "well" } else { "badly" }).context("write a note")?;
    write_policy(BROKEN)?;
    systemctl(&["reboot"])?;
    loop {
        sleep(Duration::MAX);
    }
}
