//! What one check found.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Enforcement works, but something is not as it should be, or unknown.
    Warn,
    /// Enforcement cannot work.
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub state: State,
    /// What was looked at.
    pub what: &'static str,
    /// What is there.
    pub detail: String,
    /// How to mend it.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            what,
            detail: detail.into(),
            remedy: None,
        }
    }

    /// Not as it should be, or unknown.
    pub fn warn(what: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state: State::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(what, detail)
        }
    }

    /// Enforcement cannot work.
    pub fn fail(what: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state: State::Fail,
            ..Self::warn(what, detail, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        let one_line = |text: &str| text.replace('\n', " ");
        write!(
            formatter,
            "{state:<4}  {:<12}  {}",
            self.what,
            one_line(&self.detail)
        )?;
        match &self.remedy {
            Some(remedy) => write!(formatter, "; to mend it: {}", one_line(remedy)),
            None => Ok(()),
        }
    }
}
