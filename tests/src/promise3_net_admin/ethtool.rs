//! `SIOCETHTOOL` by sub-command, as the kernel has copied it. (races.rs has the race.)

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, MapData};
use netadmin_common::OperationKind;
use netadmin_common::ethtool::{SUB_COMMANDS, ethtool_piece};

use crate::attack::ethtool::{ETHTOOL_STXCSUM, make as ethtool};
use crate::attack::process::shell;
use crate::attack::{Abi, Arrival, Route};
use crate::rig::{
    Container, Event, Expected, Refusal, Stage, Trials, Watch, errno_of, loaded_map, make,
};

/// All of ethtool's but one: what a dummy has not, and not the offloads that it has.
pub const OTHERS: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.net_admin]
default = "allow"
deny = ["ioctl.ethtool.features"]
"#;

/// That one.
const FEATURES: &str = deny_all_but!("ioctl.ethtool.features");

/// Numbers that no sub-command has.
const UNKNOWN: [u32; 2] = [0x52, 0x8000_0017];

const ABIS: [Abi; 2] = [Abi::Native, Abi::Int80];

pub fn add(trials: &mut Trials) {
    let expected = Expected::of("ioctl.ethtool.features", "ioctl");
    let off = || ethtool("dev0", ETHTOOL_STXCSUM, 0).map(drop);
    Refusal::new("ethtool_sub_command_stxcsum", expected, off, || {
        Ok(shell("ethtool -k dev0 | grep -q 'tx-checksumming: off'")?.status == 0)
    })
    .on(|| make::dummy("dev0"))
    .under(OTHERS)
    .twins(trials);
    let name = "ethtool_sub_commands_are_told_apart";
    trials.guarded(FEATURES, name, told_apart);
    let name = "ethtool_sub_command_that_is_not_told_is_refused";
    trials.guarded(FEATURES, name, not_told);
}

/// Each sub-command by each ABI, in turn.
fn calls() -> impl Iterator<Item = (Abi, u32)> {
    let all = || SUB_COMMANDS.iter().chain(&UNKNOWN);
    ABIS.into_iter()
        .flat_map(move |abi| all().map(move |sub_command| (abi, *sub_command)))
}

fn errnos(container: &Container) -> Result<Vec<i32>> {
    container.set_up(|| make::dummy("dev0"))?;
    container.run(|| {
        let one = |(abi, sub_command)| {
            let route = Route::new(abi, Arrival::Usual);
            errno_of(&route.take(|| ethtool("dev0", sub_command, 0)))
        };
        Ok(calls().map(one).collect())
    })
}

/// What is granted has the result that it has without the agent; the rest is refused,
/// each as what it is.
fn told_apart(stage: &Stage<'_>) -> Result<()> {
    let unguarded = errnos(&stage.unguarded()?)?;
    let watch = Watch::begin(stage)?;
    let guarded = errnos(&stage.guarded()?)?;
    let mut expected = Vec::new();
    for (place, (abi, sub_command)) in calls().enumerate() {
        let (without, with) = (unguarded[place], guarded[place]);
        let what = format!("{sub_command:#x}, {abi:?}: {without} unguarded, {with} guarded");
        ensure!(without != libc::EPERM, "{what}");
        let kind = ethtool_piece(sub_command);
        if kind == OperationKind::EthtoolFeatures {
            ensure!(with == without, "{what}");
        } else {
            ensure!(with == libc::EPERM, "{what}");
            expected.push((kind.name(), Some(i64::from(sub_command))));
        }
    }
    let events = watch.events()?;
    let told: Vec<_> = events.iter().map(told_of).collect();
    ensure!(told == expected, "{told:?} instead of {expected:?}");
    Ok(())
}

fn told_of(event: &Event) -> (&str, Option<i64>) {
    (event.operation.as_deref().unwrap_or_default(), event.value)
}

/// The words of `EthtoolPlace`: where the copy is and where the first address of the chain,
/// how long that is, and the chain.
type Place = [u64; 10];

/// Makes one word of a place another.
type Change = fn(u64) -> u64;

/// What another kernel, or another way to the question, comes to.
const DISTURBED: [(&str, usize, Change); 3] = [
    ("the place is not known", 1, |_len| 0),
    ("another frame below the copy", 3, |address| address ^ 1),
    ("another distance", 0, |offsets| offsets ^ 8 << 32),
];

/// Nothing is told of the sub-command, so that it may be any: as the first that is refused.
fn not_told(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    let act = || -> Result<i32> {
        let made = container.attempt(|| ethtool("dev0", ETHTOOL_STXCSUM, 1).map(drop))?;
        Ok(errno_of(&made))
    };
    let mut map: Array<MapData, Place> = Array::try_from(loaded_map(".data.ethtool")?)?;
    let place = map.get(&0, 0)?;
    println!("note: copy and first, length, chain: {place:x?}");
    ensure!(place[1] != 0, "the agent has not found the place");
    for (what, word, change) in DISTURBED {
        ensure!(act()? == 0, "before: {what}");
        let watch = Watch::begin(stage)?;
        let mut disturbed = place;
        disturbed[word] = change(place[word]);
        map.set(0, disturbed, 0)?;
        let errno = act();
        map.set(0, place, 0)?;
        let errno = errno.with_context(|| what.to_owned())?;
        ensure!(errno == libc::EPERM, "{what}: errno {errno}");
        let events = watch.events()?;
        let right = matches!(&events[..], [event]
            if event.operation.as_deref() == Some("ioctl.ethtool.link")
            && event.value_known == Some(false));
        ensure!(right, "{what}: {events:#?}");
    }
    ensure!(act()? == 0, "after");
    Ok(())
}
