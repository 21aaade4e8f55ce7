//! /dev/ppp asks for the capability when it is opened, and again when an interface is
//! made, also of whoever was handed it: `ppp.use`. (Debian's cloud kernels have no
//! PPP; the others have.)

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use anyhow::Result;

use super::plain::POLICY;
use crate::attack::ppp;
use crate::attack::process::shell;
use crate::rig::{Expected, Refusal, Stage, Trials, Watch};

const GRANTED: &str = deny_all_but!("ppp.use");

pub fn add(trials: &mut Trials) {
    twins(trials, "ppp_opened", "capable", nothing, |_nothing| {
        opened()
    });
    let name = "ppp_unit_on_a_file_from_outside";
    twins(trials, name, "ioctl", ppp::open, ppp::new_unit);
    let name = "ppp_passes_where_it_is_granted";
    trials.where_it_is("modprobe ppp_generic", GRANTED, name, granted);
}

fn twins(
    trials: &mut Trials,
    name: &str,
    via: &'static str,
    inherit: fn() -> io::Result<OwnedFd>,
    act: fn(OwnedFd) -> io::Result<OwnedFd>,
) {
    let expected = Expected::of("ppp.use", via);
    Refusal::with_inherited(name, expected, inherit, act, has_unit)
        .needs(&["ppp"])
        .under(POLICY)
        .twins(trials);
}

fn nothing() -> io::Result<OwnedFd> {
    File::open("/dev/null").map(OwnedFd::from)
}

fn opened() -> io::Result<OwnedFd> {
    ppp::new_unit(ppp::open()?)
}

fn has_unit() -> io::Result<bool> {
    Ok(!shell("ip -br link show type ppp")?.stdout.is_empty())
}

fn granted(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    container.run(|| opened().map(drop))?;
    watch.saw_no_event()
}
