//! Datagrams that are not what they should be fail as they would without us.

use std::io;

use anyhow::{Result, ensure};

use crate::attack::link::{RTM_NEWLINK, RTM_SETLINK, change, create};
use crate::attack::netlink::{datagram, route_socket, send, try_receive};
use crate::attack::{IFF_UP, Target};
use crate::rig::{Stage, Trials, USUAL_POLICY, Watch, make};

/// What the kernel does with a datagram: errno of the call, and its answer
/// without the part that repeats the question.
type Reaction = (i32, Vec<u8>);

/// A name, and how the datagram is made.
type Datagram = (&'static str, fn() -> Vec<u8>);

pub fn add(trials: &mut Trials) {
    for (name, make_bytes) in DATAGRAMS {
        trials.guarded(
            USUAL_POLICY,
            &format!("netlink_{name}_fails_as_unguarded"),
            move |stage| reacts_alike(stage, make_bytes),
        );
    }
}

const DATAGRAMS: [Datagram; 9] = [
    ("empty_datagram", Vec::new),
    ("shorter_than_a_header", || vec![16; 15]),
    ("of_length_zero", || patched(0, &0u32.to_ne_bytes())),
    ("longer_than_the_datagram", || {
        patched(0, &4096u32.to_ne_bytes())
    }),
    ("of_unknown_type", || patched(4, &9999u16.to_ne_bytes())),
    ("without_the_request_flag", || {
        patched(6, &0u16.to_ne_bytes())
    }),
    ("cut_in_the_fixed_part", || {
        let mut bytes = up();
        bytes.truncate(24);
        bytes[..4].copy_from_slice(&24u32.to_ne_bytes());
        bytes
    }),
    ("for_a_device_that_is_not_there", || {
        let target = Target::Name("none0");
        datagram(&[change(RTM_SETLINK, target).flags(IFF_UP, IFF_UP)])
    }),
    ("for_a_link_type_that_is_not_there", || {
        datagram(&[create("new0", "no-such-type")])
    }),
];

fn up() -> Vec<u8> {
    let target = Target::Name("dev0");
    datagram(&[change(RTM_NEWLINK, target).flags(IFF_UP, IFF_UP)])
}

fn patched(offset: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = up();
    bytes[offset..offset + with.len()].copy_from_slice(with);
    bytes
}

fn react(bytes: &[u8]) -> io::Result<Reaction> {
    let socket = route_socket()?;
    let errno = crate::rig::errno_of(&send(&socket, bytes));
    let mut answer = try_receive(&socket)?;
    // Length, type, flags, and then the errno: the rest repeats the question.
    answer.truncate(20);
    answer.drain(..answer.len().min(16));
    Ok((errno, answer))
}

fn reacts_alike(stage: &Stage<'_>, make_bytes: fn() -> Vec<u8>) -> Result<()> {
    let (guarded, unguarded) = (stage.guarded()?, stage.unguarded()?);
    for container in [&guarded, &unguarded] {
        container.set_up(|| make::dummy("dev0"))?;
    }
    let expected = unguarded.run(|| react(&make_bytes()))?;
    let watch = Watch::begin(stage)?;
    let reaction = guarded.run(|| react(&make_bytes()))?;
    ensure!(reaction == expected, "{reaction:?} instead of {expected:?}");
    watch.saw_no_event()
}
