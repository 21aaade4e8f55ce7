//! The rig: cgroups, containers, devices, the agent and the witness.
//!
//! Nothing here starts a thread: what the agent and the witness say goes to
//! files, so that a container's process can be made by a plain `fork`.

mod agent;
mod attacker;
mod caps;
mod cgroup;
pub mod child;
mod container;
mod event;
mod follow;
mod maps;
mod memory;
pub mod metrics;
mod need;
mod refusal;
mod stage;
mod standing;
mod twin;
mod watch;
mod witness;

pub use agent::{Agent, AgentRun, PROGRAM, new_directory};
pub use attacker::{Attacker, Tally, Way, set_promisc_on_lo};
pub use caps::{Capabilities, with_net_admin_in_effect, with_none_in_effect};
pub use cgroup::{Cgroup, Entrance};
pub use child::Answer;
pub use container::{Container, Running};
pub use event::{Event, Interface, Process, Promiscuity};
pub use maps::loaded_map;
pub use memory::{maps_of, resident};
pub use need::is_missing;
pub use netadmin_bypass::{DeviceState, make};
pub use refusal::Refusal;
pub use stage::{Body, Stage, Trials, WITHOUT_AGENT, finish};
pub use standing::{PINS, Standing, run};
pub use twin::{Attack, Expected};
pub use watch::Watch;
pub use witness::Witness;

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The usual policy: the attacks of the article are refused.
pub const USUAL_POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_PRIORITY = { allow = ["0..=6"] }
SO_DEBUG = "deny"
SO_SNDBUFFORCE = "deny"
SO_RCVBUFFORCE = "deny"
SO_MARK = "deny"
"#;

/// How long something is waited for that may come from a kernel worker, on a
/// machine with much else to do.
pub const DEFERRED: Duration = Duration::from_secs(20);

/// Asks until the answer is `Some`, or the time is over.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let answer = ask();
        if answer.is_some() || start.elapsed() > limit {
            return answer;
        }
        sleep(Duration::from_millis(5));
    }
}

/// The errno of a refusal; 0 for success.
pub fn errno_of<T>(result: &io::Result<T>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(-1),
    }
}
