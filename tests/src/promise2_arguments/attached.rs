//! Where the program that sees values is attached (decision 10): on guarded cgroups
//! whose policy needs it, and on none above.

use anyhow::{Result, ensure};

use crate::attack::process::shell;
use crate::rig::{Agent, Cgroup, Trials};

/// What the kernel asks a capability for, and nothing else.
const KERNEL_LINE: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { allow = ["0..=6"] }
SO_DEBUG = "deny"
"#;

/// A set that the kernel knows nothing of.
const VALUES: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { allow = [1, 5] }
"#;

pub fn add(trials: &mut Trials) {
    // With an agent of its own: to what stays guarded, a program stays attached.
    trials.alone("the_kernels_own_line_attaches_nothing_to_cgroups", || {
        let agent = Agent::start(KERNEL_LINE)?;
        ensure!(attached_to(Cgroup::GUARDED)? == 0);
        no_other()?;
        ensure!(agent.stop()? == 0);
        Ok(())
    });
    trials.guarded(
        VALUES,
        "a_set_of_values_attaches_to_the_guarded_cgroup_alone",
        |stage| {
            stage.agent()?;
            // What applies in it, on whichever cgroup above it is attached.
            ensure!(attached_to(Cgroup::GUARDED)? == 1);
            no_other()
        },
    );
}

/// Nothing applies beside and above the guarded cgroups.
fn no_other() -> Result<()> {
    for path in ["/", "/netadmin-test", Cgroup::FREE] {
        let count = attached_to(path)?;
        ensure!(count == 0, "{count} on {path}");
    }
    Ok(())
}

/// How many programs of ours apply to `setsockopt` in this cgroup.
fn attached_to(path: &str) -> Result<usize> {
    let list = shell(&format!(
        "bpftool cgroup show /sys/fs/cgroup{path} effective"
    ))?;
    ensure!(list.status == 0, "{list:?}");
    Ok(list.stdout.matches("setsockopt_val").count())
}
