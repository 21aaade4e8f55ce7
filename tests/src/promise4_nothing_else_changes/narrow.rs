//! 32-bit calls (`int 0x80`) that the policy allows do the same guarded; the one
//! exception is told (decision 9).

use std::io;
use std::os::fd::AsFd as _;

use anyhow::{Result, ensure};

use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::sockopt::udp_socket;
use crate::attack::{
    Abi, Arrival, IFF_ALLMULTI, Membership, Route, SocketOption, Target, index_of, ioctl, packet,
};
use crate::rig::{Container, Stage, Trials, USUAL_POLICY, Watch, errno_of, make};

const DEVICE: &str = "dev0";
const NARROW: Route = Route::new(Abi::Int80, Arrival::Usual);

/// What is done, and nothing comes of it but success.
type Act = fn() -> io::Result<()>;

const ACTS: [(&str, Act); 6] = [
    ("siocsifmtu", || ioctl::set_mtu(DEVICE, 1_300)),
    ("siocsifflags_allmulti", || {
        ioctl::change_flags(ioctl::Family::Inet, DEVICE, IFF_ALLMULTI, 0)
    }),
    ("siocsifhwaddr", || {
        ioctl::set_address(DEVICE, [2, 0, 0, 0, 0, 9])
    }),
    ("rtm_setlink_mtu", || {
        link::request(change(RTM_SETLINK, Target::Name(DEVICE)).mtu(1_200))
    }),
    ("so_priority_6", || {
        SocketOption::Priority.set(udp_socket()?.as_fd(), 6)
    }),
    ("so_debug_off", || {
        SocketOption::Debug.set(udp_socket()?.as_fd(), 0)
    }),
];

pub fn add(trials: &mut Trials) {
    for (name, act) in ACTS {
        trials.unguarded(
            USUAL_POLICY,
            &format!("{name}_by_int_0x80_succeeds_unguarded"),
            move |stage| succeeds(&stage.unguarded()?, act),
        );
        trials.guarded(
            USUAL_POLICY,
            &format!("{name}_by_int_0x80_does_the_same_guarded"),
            move |stage| {
                let container = stage.guarded()?;
                let watch = Watch::begin(stage)?;
                succeeds(&container, act)?;
                watch.saw_no_event()
            },
        );
    }
    trials.unguarded(
        USUAL_POLICY,
        "packet_add_membership_multicast_by_int_0x80_succeeds_unguarded",
        |stage| {
            let errno = join(&stage.unguarded()?)?;
            ensure!(errno == 0, "errno {errno}");
            Ok(())
        },
    );
    trials.guarded(
        USUAL_POLICY,
        "packet_add_membership_multicast_by_int_0x80_is_refused",
        membership_is_refused,
    );
}

fn succeeds(container: &Container, act: Act) -> Result<()> {
    container.set_up(|| make::dummy(DEVICE))?;
    container.run(|| NARROW.take(act))
}

fn join(container: &Container) -> Result<i32> {
    container.set_up(|| make::dummy(DEVICE))?;
    container.run(|| {
        let index = index_of(DEVICE)?;
        let joined = NARROW.take(|| packet::join(index, Membership::Multicast));
        Ok(errno_of(&joined))
    })
}

/// The kernel skips the program that would see the value, and asks nothing later.
fn membership_is_refused(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errno = join(&container)?;
    let events = watch.events()?;
    ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
    ensure!(events.len() == 1, "{events:#?}");
    Ok(())
}
