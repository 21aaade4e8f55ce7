//! Writes policies into the maps of the programs.

use anyhow::Context as _;
use netadmin_common::PolicyRecord;
use netadmin_common::glob::MAX_GLOBS;
use netadmin_common::guard::{EPOCHS, GLOB_COUNTS, POLICY_NAME_LEN, bank_of};
use netadmin_common::watched::Watched;

use super::cannot_enforce;
use crate::kernel::{Families, Programs};
use crate::policy::{CompiledPolicy, PolicySet};
use crate::records::Record;

/// What stands in events for the policy of cgroups that there was no room for. (No name
/// that a policy can have.)
pub const STRICTEST: &str = "(max-cgroups)";

/// Writes policies into a bank. They come into force when the bank does.
pub fn publish(policies: &PolicySet, bank: usize, programs: &mut Programs) -> anyhow::Result<()> {
    know_families(programs)?;
    if policies.rules_net_admin() {
        programs.find_symbols().map_err(cannot_enforce)?;
    }
    let size = programs.limits().policies;
    let count = u32::try_from(policies.policies.len()).context("too many policies")?;
    anyhow::ensure!(
        count <= size,
        "there are {count} policies, but at most {size} fit (--max-policies)"
    );
    let first = u32::try_from(bank)? * size;
    for (index, policy) in (first..).zip(&policies.policies) {
        let written = programs.policies()?.set(index, Record(policy.record), 0);
        written.with_context(|| format!("cannot write policy `{}`", policy.name))?;
    }
    let mut names = programs.names()?;
    for place in 0..size {
        let name = policies
            .policies
            .get(place as usize)
            .map_or("", CompiledPolicy::name);
        let written = names.set(first + place, padded(name), 0);
        written.with_context(|| format!("cannot write the name of policy `{name}`"))?;
    }
    Ok(())
}

/// Writes the globs of a bank's policies, by which the programs guard new cgroups
/// from now on, whether or not the epoch is in force yet.
pub fn publish_globs(
    policies: &PolicySet,
    epoch: u16,
    programs: &mut Programs,
) -> anyhow::Result<()> {
    let bank = bank_of(epoch);
    let size = programs.limits().policies;
    let first_policy = u32::try_from(bank)? * size;
    let first_glob = u32::try_from(bank * MAX_GLOBS)?;
    let globs = (first_policy..).zip(&policies.policies);
    let globs =
        globs.flat_map(|(index, policy)| policy.cgroups.iter().map(move |glob| (index, glob)));
    let mut count = 0;
    let mut map = programs.globs()?;
    for (index, glob) in globs {
        let written = map.set(first_glob + count, Record(glob.to_record(index)), 0);
        written.with_context(|| format!("cannot write the glob `{glob}`"))?;
        count += 1;
    }
    set_word(GLOB_COUNTS, bank, count, programs)?;
    set_word(EPOCHS, bank, epoch.into(), programs)
}

/// Forgets the globs of a bank.
pub fn forget_globs(bank: usize, programs: &mut Programs) -> anyhow::Result<()> {
    set_word(EPOCHS, bank, 0, programs)?;
    set_word(GLOB_COUNTS, bank, 0, programs)
}

fn set_word(first: u32, bank: usize, word: u32, programs: &mut Programs) -> anyhow::Result<()> {
    let place = first + u32::try_from(bank)?;
    let mut words = programs.bank()?;
    words
        .set(place, word, 0)
        .context("cannot say which globs there are")
}

/// Brings an epoch into force: one word says which it is.
pub fn turn(epoch: u16, programs: &mut Programs) -> anyhow::Result<()> {
    let mut words = programs.bank()?;
    words
        .set(0, u32::from(epoch), 0)
        .context("cannot bring the new policies into force")
}

/// Tells the programs which calls can matter under any of these sets, and what the
/// strictest of their policies say.
pub fn publish_watched(sets: &[&PolicySet], programs: &mut Programs) -> anyhow::Result<()> {
    let policies = sets.iter().flat_map(|set| &set.policies);
    let records: Vec<&PolicyRecord> = policies.map(|policy| &policy.record).collect();
    let watched = Watched::of(records.iter().copied());
    let mut map = programs.watched()?;
    map.set(0, Record(watched), 0)
        .context("cannot say which calls matter")?;
    let index = programs.limits().strictest();
    let strictest = Record(PolicyRecord::strictest(records));
    let written = programs.policies()?.set(index, strictest, 0);
    written.context("cannot write what the strictest policies say")?;
    let written = programs.names()?.set(index, padded(STRICTEST), 0);
    written.context("cannot write the name of the strictest policies")
}

/// Tells the programs which generic netlink families there are, from now on.
fn know_families(programs: &mut Programs) -> anyhow::Result<()> {
    if let Some(map) = programs.take_families()? {
        Families::new(map)
            .context("cannot list the generic netlink families")?
            .follow();
    }
    Ok(())
}

fn padded(name: &str) -> [u8; POLICY_NAME_LEN] {
    let mut bytes = [0; POLICY_NAME_LEN];
    // A policy's name has at most 63 bytes (policy/check.rs).
    for (to, from) in bytes.iter_mut().zip(name.bytes().take(POLICY_NAME_LEN - 1)) {
        *to = from;
    }
    bytes
}
