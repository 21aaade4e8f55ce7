//! `netadmin-agent check`: is this policy file good, and what does it come to?

use crate::cli::CheckOptions;
use crate::exit::Exit;
use crate::output;
use crate::policy::{self, Loaded};

/// Checks a policy file: faults go to standard error, what the file comes to
/// goes to standard output.
pub fn check(options: &CheckOptions) -> anyhow::Result<Exit> {
    let loaded = match policy::load(&options.policy) {
        Ok(loaded) => loaded,
        Err(error) => {
            output::show_error(&error.into());
            return Ok(Exit::Negative);
        }
    };
    output::show_report(&loaded.warnings);
    if options.deny_warnings && !loaded.warnings.is_empty() {
        let count = loaded.warnings.count();
        output::complain(&format!("error: {count}, and --deny-warnings was given\n"));
        return Ok(Exit::Negative);
    }
    output::print(&answer(&loaded))?;
    Ok(Exit::Success)
}

fn answer(loaded: &Loaded) -> String {
    let policies = &loaded.set.policies;
    let noun = if policies.len() == 1 {
        "policy"
    } else {
        "policies"
    };
    let mut answer = format!("ok: {} {noun}", policies.len());
    if !loaded.warnings.is_empty() {
        answer.push_str(&format!(", {}", loaded.warnings.count()));
    }
    answer.push('\n');
    let mut file = None;
    for policy in policies {
        if loaded.source.is_directory() && file != Some(&policy.file) {
            file = Some(&policy.file);
            answer.push_str(&format!("{}\n", policy.file));
        }
        answer.push_str(&policy::summary::summarize(policy));
    }
    answer
}
