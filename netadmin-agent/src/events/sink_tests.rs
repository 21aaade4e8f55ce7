use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;

/// A writer that takes as many bytes at a time as it is told, or fails.
struct Scripted {
    script: VecDeque<Result<usize, io::ErrorKind>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.script.pop_front().unwrap_or(Ok(usize::MAX))?;
        let taken = room.min(bytes.len());
        let mut written = self.written.lock().expect("no panic elsewhere");
        written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted(
    script: impl IntoIterator<Item = Result<usize, io::ErrorKind>>,
) -> (Sink, impl Fn() -> String) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let writer = Scripted {
        script: script.into_iter().collect(),
        written: written.clone(),
    };
    let read = move || String::from_utf8_lossy(&written.lock().expect("no panic")).into_owned();
    (Sink::new(Box::new(writer), None), read)
}

#[test]
fn a_full_disk_is_reported_once_and_every_loss_is_counted() {
    let full = Err(io::ErrorKind::StorageFull);
    let (mut sink, written) = scripted([full, full, Ok(99), full]);
    assert!(matches!(sink.write("a"), Written::Lost(Some(_))));
    assert!(matches!(sink.write("b"), Written::Lost(None)));
    assert!(matches!(sink.write("c"), Written::Whole));
    assert!(matches!(sink.write("d"), Written::Lost(Some(_))));
    assert_eq!((sink.lost(), written().as_str()), (3, "c\n"));
}

#[test]
fn a_line_that_was_cut_spoils_no_other() {
    let (mut sink, written) = scripted([Ok(2), Err(io::ErrorKind::StorageFull)]);
    assert!(matches!(sink.write("abc"), Written::Lost(Some(_))));
    assert!(matches!(sink.write("def"), Written::Whole));
    assert!(matches!(sink.write("ghi"), Written::Whole));
    assert_eq!(written(), "ab\ndef\nghi\n");
}

#[test]
fn short_and_interrupted_writes_go_on() {
    let (mut sink, written) = scripted([Ok(1), Err(io::ErrorKind::Interrupted), Ok(1)]);
    assert!(matches!(sink.write("abc"), Written::Whole));
    assert_eq!(written(), "abc\n");
}

#[test]
fn a_closed_standard_output_is_no_loss() {
    let (mut sink, _) = scripted([Err(io::ErrorKind::BrokenPipe)]);
    assert!(matches!(sink.write("a"), Written::Closed));
    assert_eq!(sink.lost(), 0);
}

#[test]
fn a_file_is_appended_to_and_opened_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    std::fs::write(&path, "before\n").expect("written");
    let mut sink = Sink::open(&EventsTo::File(path.clone())).expect("opened");
    assert!(matches!(sink.write("one"), Written::Whole));
    let rotated = directory.path().join("events.1");
    std::fs::rename(&path, &rotated).expect("renamed");
    sink.reopen().expect("opened again");
    assert!(matches!(sink.write("two"), Written::Whole));
    let read = |path| std::fs::read_to_string(path).expect("read");
    assert_eq!(read(&rotated), "before\none\n");
    assert_eq!(read(&path), "two\n");
}

#[test]
fn a_real_full_device_is_no_panic() {
    let mut sink = Sink::open(&EventsTo::File("/dev/full".into())).expect("opened");
    assert!(matches!(sink.write("a"), Written::Lost(Some(_))));
    assert!(matches!(sink.write("b"), Written::Lost(None)));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    assert!(Sink::open(&EventsTo::File("/nowhere/events".into())).is_err());
}
