//! What a person sees while something is going on: never nothing for long.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Silence longer than this is broken by a line that says what is going on.
const PATIENCE: Duration = Duration::from_secs(15);

struct Activity {
    what: String,
    since: Instant,
    last_output: Instant,
}

static ACTIVITY: Mutex<Option<Activity>> = Mutex::new(None);

fn with_activity<T>(act: impl FnOnce(&mut Option<Activity>) -> T) -> T {
    act(&mut ACTIVITY.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Says on standard error what is done next; the heartbeat repeats it.
pub fn step(what: impl Into<String>) {
    let what = what.into();
    eprintln!("==> {what}");
    let now = Instant::now();
    with_activity(|activity| {
        *activity = Some(Activity {
            what,
            since: now,
            last_output: now,
        });
    });
}

/// Like [`step`], but nothing is printed unless it takes long.
pub fn quiet_step(what: impl Into<String>) {
    let now = Instant::now();
    let what = what.into();
    with_activity(|activity| {
        *activity = Some(Activity {
            what,
            since: now,
            last_output: now,
        });
    });
}

/// Says something worth knowing on standard error.
pub fn note(text: &str) {
    eprintln!("    {text}");
    touch();
}

/// Tells the heartbeat that something was printed.
pub fn touch() {
    with_activity(|activity| {
        if let Some(activity) = activity {
            activity.last_output = Instant::now();
        }
    });
}

/// Nothing is going on: the heartbeat has nothing to say.
pub fn idle() {
    with_activity(|activity| *activity = None);
}

/// Prints one line on standard output, whole, and tells the heartbeat.
pub fn print_line(line: &[u8]) {
    print_bytes(&[line, b"\n"].concat());
}

/// Passes output on at once, and tells the heartbeat.
pub fn print_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    // A reader that went away is no failure of ours.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
    touch();
}

/// Starts the heartbeat, which lives as long as the process.
pub fn start_heartbeat() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            if let Some(line) = with_activity(|activity| activity.as_mut().and_then(beat)) {
                eprintln!("{line}");
            }
        }
    });
}

fn beat(activity: &mut Activity) -> Option<String> {
    if activity.last_output.elapsed() < PATIENCE {
        return None;
    }
    activity.last_output = Instant::now();
    let seconds = activity.since.elapsed().as_secs();
    Some(format!("... still at it: {} ({seconds} s)", activity.what))
}
