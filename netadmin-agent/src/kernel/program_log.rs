//! The debug lines of the programs, on standard error.

use anyhow::Context as _;
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::io::unix::AsyncFd;

use crate::output;

/// Writes each line as it comes.
struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        output::complain(&format!(
            "netadmin-agent: {}: {}\n",
            record.level(),
            record.args()
        ));
    }

    fn flush(&self) {}
}

/// Starts to read the debug lines, within the event loop. They must have been
/// turned on when the programs were loaded.
pub fn start(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    let logger = EbpfLogger::init_with_logger(ebpf, StandardError)
        .context("cannot read the programs' debug lines")?;
    // SAFETY: the logger owns its descriptor, and keeps it open until dropped.
    let mut logger = unsafe { AsyncFd::register(logger) }
        .context("cannot wait for the programs' debug lines")?;
    tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}
