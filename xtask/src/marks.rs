//! What the guest's init tells us between the command's own output.

use anyhow::{Context as _, Result};

/// Begins and ends a mark; `tests/src/bin/netadmin-init.rs` writes the same.
const MARK: u8 = 0x1e;
const READY: &str = "netadmin-init ready";
const EXIT: &str = "netadmin-init exit ";

/// Separates the guest's output from init's marks, whatever the chunks.
#[derive(Debug, Default)]
pub struct Marks {
    /// The text of a mark that has begun, without its first byte.
    open: Option<Vec<u8>>,
    ready: bool,
    status: Option<i32>,
}

impl Marks {
    /// Takes a chunk and returns the part that is the command's output.
    pub fn take(&mut self, chunk: &[u8]) -> Result<Vec<u8>> {
        let mut output = Vec::with_capacity(chunk.len());
        for &byte in chunk {
            match (&mut self.open, byte) {
                (None, MARK) => self.open = Some(Vec::new()),
                (None, _) => output.push(byte),
                (Some(_), MARK) => self.close(&mut output)?,
                (Some(mark), _) => mark.push(byte),
            }
        }
        Ok(output)
    }

    /// Whether init has come up.
    pub fn ready(&self) -> bool {
        self.ready
    }

    /// The command's exit status, once it has ended.
    pub fn status(&self) -> Option<i32> {
        self.status
    }

    fn close(&mut self, output: &mut Vec<u8>) -> Result<()> {
        let mark = self.open.take().unwrap_or_default();
        let text = String::from_utf8_lossy(&mark);
        if text == READY {
            self.ready = true;
        } else if let Some(status) = text.strip_prefix(EXIT) {
            let status = status
                .parse()
                .with_context(|| format!("init's exit mark: {text:?}"))?;
            self.status = Some(status);
        } else {
            // Not ours: the command itself printed the byte.
            output.push(MARK);
            output.extend(&mark);
            output.push(MARK);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Marks;

    type TestResult = anyhow::Result<()>;

    #[test]
    fn output_between_marks_is_passed_on() -> TestResult {
        let mut marks = Marks::default();
        let output =
            marks.take(b"\x1enetadmin-init ready\x1ehello\n\x1enetadmin-init exit 3\x1e")?;
        assert_eq!(output, b"hello\n");
        assert!(marks.ready());
        assert_eq!(marks.status(), Some(3));
        Ok(())
    }

    #[test]
    fn a_mark_may_come_in_pieces() -> TestResult {
        let mut marks = Marks::default();
        assert_eq!(marks.take(b"no newline\x1enetadm")?, b"no newline");
        assert_eq!(marks.take(b"in-init exit 137")?, b"");
        assert_eq!(marks.status(), None);
        marks.take(b"\x1e")?;
        assert_eq!(marks.status(), Some(137));
        Ok(())
    }

    #[test]
    fn a_mark_of_somebody_else_is_output() -> TestResult {
        let mut marks = Marks::default();
        assert_eq!(marks.take(b"a\x1eb\x1ec")?, b"a\x1eb\x1ec");
        assert_eq!(marks.status(), None);
        Ok(())
    }
}
