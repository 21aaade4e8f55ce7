//! What the guest should know of the terminal its output ends up on.

use std::env;
use std::io::{IsTerminal as _, stdout};

/// The width used when there is no terminal to ask.
const USUAL_WIDTH: u16 = 100;

nix::ioctl_read_bad!(
    /// Asks a terminal for its size.
    window_size,
    nix::libc::TIOCGWINSZ,
    nix::libc::winsize
);

/// Columns of the terminal, or of `$COLUMNS`.
pub fn width() -> u16 {
    let set = env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    set.or_else(asked).unwrap_or(USUAL_WIDTH)
}

fn asked() -> Option<u16> {
    let mut size = nix::libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize, which outlives the call.
    unsafe { window_size(nix::libc::STDOUT_FILENO, &raw mut size) }.ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Whether a person reads standard output.
pub fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// The environment of commands in the guest.
pub fn guest_environment() -> Vec<(String, String)> {
    let kind = if is_terminal() {
        env::var("TERM").ok()
    } else {
        None
    };
    [
        ("PATH", "/bin".to_owned()),
        ("HOME", "/root".to_owned()),
        ("LC_ALL", "C".to_owned()),
        ("TERM", kind.unwrap_or_else(|| "dumb".to_owned())),
        ("COLUMNS", width().to_string()),
        ("RUST_BACKTRACE", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
