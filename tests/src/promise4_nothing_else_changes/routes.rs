//! Large batches, such as a routing daemon sends.

use anyhow::{Result, ensure};

use crate::attack::index_of;
use crate::attack::inet::add_routes;
use crate::attack::process::shell;
use crate::rig::{Container, Stage, Trials, USUAL_POLICY, Watch, make};

const ROUTES: u32 = 10_000;
/// As many as fit the usual send buffer; one message is 44 bytes long.
const PER_DATAGRAM: usize = 3_400;

pub fn add(trials: &mut Trials) {
    trials.unguarded(
        USUAL_POLICY,
        "rtm_newroute_10000_in_big_datagrams_succeeds_unguarded",
        |stage| load(&stage.unguarded()?),
    );
    trials.guarded(
        USUAL_POLICY,
        "rtm_newroute_10000_in_big_datagrams_does_the_same_guarded",
        guarded,
    );
}

fn guarded(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    load(&container)?;
    watch.saw_no_event()
}

fn load(container: &Container) -> Result<()> {
    container.set_up(|| make::dummy("dev0"))?;
    let datagrams = container.run(|| add_routes(index_of("dev0")?, ROUTES, PER_DATAGRAM))?;
    ensure!(datagrams == 3, "{datagrams} datagrams");
    let listed = container.run(|| shell("ip route show | wc -l"))?;
    ensure!(listed.stdout.trim() == ROUTES.to_string(), "{listed:?}");
    Ok(())
}
