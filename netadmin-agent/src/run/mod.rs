//! Enforcing a policy, and watching for rises.
//!
//! `start` takes over from an agent before, if there was one; `agent` is the
//! loop that follows; `reload` puts changed policies into force.

mod agent;
mod publish;
mod reload;
mod start;
mod teller;
mod wake;
mod watch;

use anyhow::Context as _;

use crate::cli::{EventsTo, RunOptions};
use crate::doctor;
use crate::events::Sink;
use crate::exit::{CannotEnforce, Exit};
use crate::kernel::KernelError;
use crate::kernel::pins::Pins;
use crate::metrics::Endpoint;
use crate::output;
use crate::policy::Kept;

use wake::Signals;

/// Enforces the policy until it is told to stop.
pub fn run(options: &RunOptions) -> anyhow::Result<Exit> {
    give_large_memory_back();
    let kept = Kept::of_this_service();
    let (loaded, error) = kept.load_or_last(&options.policy)?;
    if let Some(error) = error {
        output::show_error(&error.into());
        output::complain(
            "netadmin-agent: error: the policy file cannot be used; \
             the last one in force is put into force again\n",
        );
    }
    output::show_report(&loaded.warnings);
    doctor::require()?;
    let sink = Sink::open(&options.events)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let mut agent = start::start(loaded.set, sink, options)?;
        agent.serve_metrics(options.metrics.map(Endpoint::open));
        agent.announce();
        agent.tell_what_was_there()?;
        agent.keep_policy(kept, &loaded.source);
        agent.serve(&mut signals).await
    })
}

/// Prints each rise of any device's promiscuity.
pub fn witness() -> anyhow::Result<Exit> {
    doctor::require()?;
    let sink = Sink::open(&EventsTo::Stdout)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let mut agent = start::start_witness(sink)?;
        output::complain("netadmin-agent: watching\n");
        agent.serve(&mut signals).await
    })
}

/// Ends the enforcement that agents have left in force.
pub fn unload() -> anyhow::Result<Exit> {
    let removed = Pins::lock()?.remove_all()?;
    output::complain(if removed {
        "netadmin-agent: unloaded: nothing is enforced any more\n"
    } else {
        "netadmin-agent: nothing was in force\n"
    });
    Ok(Exit::Success)
}

/// What only the start needs is a few large pieces. By default the allocator keeps
/// pieces of such sizes for later, once it has seen one freed.
fn give_large_memory_back() {
    const LARGE: libc::c_int = 128 * 1024;
    // SAFETY: it sets a number of the allocator's.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot start the event loop")
}

/// What the kernel refuses to load, this node cannot enforce.
fn cannot_enforce(error: KernelError) -> anyhow::Error {
    let unable = CannotEnforce(error.to_string());
    anyhow::Error::from(error).context(unable)
}
