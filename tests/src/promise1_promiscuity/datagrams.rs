//! What an earlier message of a datagram brings about is not in the state that the later
//! ones are judged by.

use std::io;

use super::VICTIM;
use super::addresses::prepared;
use crate::attack::link::{RTM_SETLINK, change};
use crate::attack::{IFF_UP, Membership, Message, Target, fdb, index_of, packet, transact};
use crate::rig::{Attack, Expected, Trials, USUAL_POLICY, Watch};

/// A bond that has nothing yet to hand to a port.
const BOND: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add m0 link b0 type macvlan mode bridge && ip link add victim0 type dummy";

/// What gives the bond something.
type First = fn() -> io::Result<Message>;

pub fn add(trials: &mut Trials) {
    // ndo_dflt_fdb_add, macvlan_open; dev_uc_sync_multiple in bond_enslave.
    let ways: [(&str, First); 2] = [
        ("an_address", || {
            Ok(fdb::entry(
                index_of("b0")?,
                fdb::NTF_SELF,
                [2, 0, 0, 0, 0, 9],
            ))
        }),
        ("a_macvlan_brought_up", || Ok(up("m0"))),
    ];
    for (what, first) in ways {
        Attack::new(
            format!("bond_gets_{what}_and_a_port_in_a_datagram"),
            VICTIM,
            Expected::of("promiscuous.unicast_filter", "RTM_SETLINK"),
            move || transact(&[first()?, enslaved("b0")?]),
        )
        .needs(&["bond", "macvlan"])
        .on(prepared(BOND))
        .twins(trials);
    }
    // cycle_netdev.
    Attack::new(
        "device_brought_up_and_put_into_a_vrf_in_a_datagram",
        VICTIM,
        Expected::of("promiscuous.stacked", "RTM_SETLINK"),
        || transact(&[up(VICTIM), enslaved("r0")?]),
    )
    .needs(&["vrf"])
    .on(|| {
        prepared("ip link add r0 type vrf table 9 && ip link add victim0 type dummy")()?;
        packet::join(index_of(VICTIM)?, Membership::Promiscuous)
    })
    .twins(trials);
    trials.guarded(
        USUAL_POLICY,
        "devices_brought_up_and_enslaved_in_a_datagram_pass",
        |stage| {
            let container = stage.guarded()?;
            container.set_up(prepared(
                "ip link add r0 type vrf table 9 && ip link add d1 type dummy \
                 && ip link add d2 type dummy && ip link add victim0 type dummy",
            ))?;
            let watch = Watch::begin(stage)?;
            container.run(|| transact(&[up("d1"), up("d2"), up(VICTIM), enslaved("r0")?]))?;
            watch.saw_no_rise()?;
            watch.saw_no_event()
        },
    );
}

fn up(name: &str) -> Message {
    change(RTM_SETLINK, Target::Name(name)).flags(IFF_UP, IFF_UP)
}

fn enslaved(master: &str) -> io::Result<Message> {
    Ok(change(RTM_SETLINK, Target::Index(index_of(VICTIM)?)).master(index_of(master)?))
}
