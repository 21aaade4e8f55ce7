//! A changed policy comes into force as a whole, or not at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{
    AgentRun, Attacker, Cgroup, Container, Standing, Trials, USUAL_POLICY, Way, errno_of,
    new_directory, poll, run,
};

const SOON: Duration = Duration::from_secs(60);
/// Reloads in the short test.
const RELOADS: usize = 20;
/// The least that is attempted meanwhile.
const ATTEMPTS: u64 = 100;

pub fn add(trials: &mut Trials) {
    trials.alone("a_policy_file_that_is_written_comes_into_force", written);
    trials.alone("a_directory_of_policy_files_comes_into_force", directory);
    trials.alone("a_policy_that_kubernetes_swaps_comes_into_force", swapped);
    trials.alone(
        "an_attacker_wins_nothing_while_policies_are_reloaded",
        attacked,
    );
}

/// The usual policy without its rule on marks, and with its guarded cgroups.
pub fn lenient() -> String {
    USUAL_POLICY.replace("SO_MARK = \"deny\"\n", "")
}

fn mark() -> Result<i32> {
    Ok(errno_of(
        &Container::guarded()?.attempt(|| Way::Mark.attempt())?,
    ))
}

pub fn mark_becomes(errno: i32) -> Result<()> {
    let becomes = poll(SOON, || (mark().ok()? == errno).then_some(()));
    becomes.with_context(|| format!("SO_MARK ends with {:?}, not with {errno}", mark()))
}

fn written() -> Result<()> {
    let mut standing = Standing::start(USUAL_POLICY)?;
    ensure!(mark()? == libc::EPERM);
    standing.write_policy(&lenient())?;
    mark_becomes(0)?;
    // What cannot be used changes nothing, and is told.
    standing.write_policy("version = 1\n[[policy]]\nname = 7\n")?;
    let agent = standing.agent()?;
    agent.wait_for_line("netadmin-agent: error: the changed policy is refused")?;
    let reloads = reloads_in_status()?;
    let error = reloads["last_refused"]["error"]
        .as_str()
        .unwrap_or_default();
    // (A file that is being written may be read before it is whole.)
    let told = reloads["applied"].as_u64() >= Some(1)
        && reloads["refused"].as_u64() >= Some(1)
        && error.contains("policy.toml:2:1");
    ensure!(told, "{reloads}");
    ensure!(mark()? == 0);
    ensure!(
        Way::Ioctl.refused()? == libc::EPERM,
        "the policy before is gone"
    );
    standing.write_policy(USUAL_POLICY)?;
    mark_becomes(libc::EPERM)?;
    // Without its policy a cgroup is free.
    standing.write_policy(&USUAL_POLICY.replace("test/guarded/**", "test/other/**"))?;
    mark_becomes(0)?;
    ensure!(Way::Ioctl.refused()? == 0);
    standing.unload()
}

fn reloads_in_status() -> Result<serde_json::Value> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    Ok(status["set"]["agent"]["reloads"].clone())
}

/// A directory of files is one policy: it changes as a whole, in the order of names. Without
/// one of them that is free which it alone guarded; what another matches, too, has that one's.
fn directory() -> Result<()> {
    const ALONE: &str = "/netadmin-test/alone";
    let alone = Cgroup::make(ALONE)?;
    let promisc_alone = || Container::within(&alone)?.promisc_on_lo();
    let directory = new_directory()?;
    let file = |name: &str| directory.join(name);
    let lenient = lenient()
        .replace("\"cnf\"", "\"lenient\"")
        .replace("/guarded/**\"", &format!("/guarded/**\", \"{ALONE}\""));
    fs::write(file("20-usual.toml"), USUAL_POLICY)?;
    fs::write(file("10-lenient.toml.draft"), &lenient)?;
    Cgroup::make_usual()?;
    let policy = directory.to_string_lossy().into_owned();
    let mut agent = AgentRun::start(&new_directory()?, &["--ephemeral", "--policy", &policy])?;
    agent.wait_for_line("netadmin-agent: in force")?;
    ensure!(mark()? == libc::EPERM);
    // The first that matches applies: now the one of the first file.
    fs::rename(file("10-lenient.toml.draft"), file("10-lenient.toml"))?;
    mark_becomes(0)?;
    ensure!(promisc_alone()? == libc::EPERM);
    // A name that another file has: nothing changes, and both places are told.
    fs::write(file("30-again.toml"), USUAL_POLICY)?;
    let told = || {
        let said = agent.stderr();
        let both = said.contains("30-again.toml:3:8") && said.contains("20-usual.toml");
        both.then_some(())
    };
    poll(SOON, told).with_context(|| agent.stderr())?;
    ensure!(mark()? == 0);
    fs::remove_file(file("30-again.toml"))?;
    fs::remove_file(file("10-lenient.toml"))?;
    mark_becomes(libc::EPERM)?;
    ensure!(Way::Ioctl.refused()? == libc::EPERM);
    ensure!(promisc_alone()? == 0, "what is gone still guards");
    alone.remove()?;
    agent.signal(Signal::SIGTERM)?;
    ensure!(agent.wait()? == 0);
    fs::remove_dir_all(&directory)?;
    Ok(())
}

impl Way {
    /// The errno that it has in the guarded cgroup.
    fn refused(self) -> Result<i32> {
        Ok(errno_of(&Container::guarded()?.attempt(|| self.attempt())?))
    }
}

/// `policy.toml` → `..data/policy.toml`, and `..data` is replaced.
fn swapped() -> Result<()> {
    Cgroup::make_usual()?;
    let volume = new_directory()?;
    for (name, policy) in [("..1", USUAL_POLICY.to_owned()), ("..2", lenient())] {
        fs::create_dir(volume.join(name))?;
        fs::write(volume.join(name).join("policy.toml"), policy)?;
    }
    symlink("..1", volume.join("..data"))?;
    symlink("..data/policy.toml", volume.join("policy.toml"))?;
    let policy = volume.join("policy.toml").to_string_lossy().into_owned();
    let mut agent = AgentRun::start(&new_directory()?, &["--ephemeral", "--policy", &policy])?;
    agent.wait_for_line("netadmin-agent: in force")?;
    ensure!(mark()? == libc::EPERM);
    symlink("..2", volume.join("..tmp"))?;
    fs::rename(volume.join("..tmp"), volume.join("..data"))?;
    mark_becomes(0)?;
    agent.signal(Signal::SIGTERM)?;
    ensure!(agent.wait()? == 0);
    Ok(())
}

/// Two policies that both refuse what the attacker tries, each in its own way.
fn attacked() -> Result<()> {
    let other = USUAL_POLICY
        .replace("SO_MARK = \"deny\"", "SO_MARK = { allow = [42] }")
        .replace("name = \"cnf\"", "name = \"other\"");
    let mut standing = Standing::start(USUAL_POLICY)?;
    let attacker = Attacker::start(&Container::guarded()?, &Way::ALL, Duration::ZERO)?;
    let mut reload = 0;
    while reload < RELOADS || attacker.tally().refused < ATTEMPTS {
        let policy = if reload % 2 == 0 {
            &other
        } else {
            USUAL_POLICY
        };
        standing.write_policy(policy)?;
        let agent = standing.agent()?;
        let before = reloads(&agent.stderr());
        agent.signal(Signal::SIGHUP)?;
        let more = poll(SOON, || (reloads(&agent.stderr()) > before).then_some(()));
        more.with_context(|| format!("reload {reload}: {}", agent.stderr()))?;
        reload += 1;
    }
    let tally = attacker.stop();
    ensure!(tally.wins == 0 && tally.strange == 0, "{tally:?}");
    Ok(())
}

fn reloads(said: &str) -> usize {
    said.matches("netadmin-agent: policy reloaded").count()
}
