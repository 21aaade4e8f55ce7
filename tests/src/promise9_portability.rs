//! Promise 9: one binary, many kernels. The tests of the other promises show
//! the most of it, by running as they are on every kernel of the matrix.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::rig::{Agent, AgentRun, PROGRAM, Trials, USUAL_POLICY, new_directory};

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise9");
    trials.alone(
        "doctor_finds_that_this_machine_can_enforce",
        doctor_is_content,
    );
    trials.alone(
        "the_agent_says_no_word_of_what_this_kernel_lacks",
        in_force_without_complaint,
    );
    trials.alone("the_agent_needs_no_libraries", needs_no_libraries);
    trials.finish()
}

fn doctor_is_content() -> Result<()> {
    let mut doctor = AgentRun::start(&new_directory()?, &["doctor"])?;
    let status = doctor.wait()?;
    let said = doctor.stdout() + &doctor.stderr();
    ensure!(status == 0, "status {status}: {said}");
    ensure!(said.lines().count() > 2, "doctor says too little: {said}");
    Ok(())
}

fn in_force_without_complaint() -> Result<()> {
    let agent = Agent::start(USUAL_POLICY)?;
    let said = agent.stderr();
    ensure!(!said.contains("error"), "{said}");
    ensure!(agent.stop()? == 0);
    Ok(())
}

/// A static program has no interpreter (`PT_INTERP`), whose path would be in it.
fn needs_no_libraries() -> Result<()> {
    let program = std::fs::read(PROGRAM)?;
    let interpreter = b"/lib64/ld-linux-x86-64.so.2\0";
    let head = &program[..program.len().min(4096)];
    let found = head
        .windows(interpreter.len())
        .any(|bytes| bytes == interpreter);
    ensure!(!found, "{PROGRAM} is linked dynamically");
    Ok(())
}
