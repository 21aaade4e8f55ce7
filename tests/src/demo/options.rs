//! The demo's command line.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result, bail};

/// Narrower than this, the table does not fit.
const NARROWEST: usize = 78;
/// Wider than this, lines are hard to read.
const WIDEST: usize = 132;

/// How to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// With colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Show the unguarded half alone.
    pub without_agent: bool,
}

impl Options {
    /// Reads `--color=always|never|auto`, `--width=N` and `--without-agent`;
    /// a value may also be an argument of its own.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            color: std::io::stdout().is_terminal(),
            width: 100,
            without_agent: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if name == "--without-agent" {
                options.without_agent = true;
                continue;
            }
            let value = value.or_else(|| arguments.next());
            let value = value.with_context(|| format!("{name} needs a value"))?;
            options.take(&name, &value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        match (name, value) {
            ("--color", "always") => self.color = true,
            ("--color", "never") => self.color = false,
            ("--color", "auto") => {}
            ("--width", number) => {
                let width: usize = number.parse().context("--width needs a number")?;
                self.width = width.clamp(NARROWEST, WIDEST);
            }
            _ => bail!("unknown argument {name}={value}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{NARROWEST, Options};

    fn parse(arguments: &[&str]) -> anyhow::Result<Options> {
        Options::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn values_come_with_an_equals_sign_or_alone() -> anyhow::Result<()> {
        let options = parse(&["--color=always", "--width", "120"])?;
        assert!(options.color);
        assert_eq!(options.width, 120);
        assert_eq!(parse(&["--width=9"])?.width, NARROWEST);
        Ok(())
    }

    #[test]
    fn what_is_unknown_or_cut_short_is_an_error() {
        assert!(parse(&["--colour=always"]).is_err());
        assert!(parse(&["--width"]).is_err());
        assert!(parse(&["--width=wide"]).is_err());
    }
}
