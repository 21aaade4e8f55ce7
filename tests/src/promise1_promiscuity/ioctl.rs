//! `SIOCSIFFLAGS`, on every family of socket; and sysfs, which sets the same word.

use super::{VICTIM, flag};
use crate::attack::ioctl::{Family, change_flags, set_flags};
use crate::attack::link::add_alternative_name;
use crate::attack::{IFF_PROMISC, IFF_UP, Membership, index_of, packet, sysfs};
use crate::rig::{Attack, Trials, make};

/// Short enough for a `struct ifreq`.
const ALTERNATIVE: &str = "alternative0";

pub fn add(trials: &mut Trials) {
    for (family, name) in Family::ALL {
        let name = format!("siocsifflags_on_{name}_that_adds_promisc");
        Attack::new(name, VICTIM, flag("SIOCSIFFLAGS"), move || {
            change_flags(family, VICTIM, IFF_PROMISC, 0)
        })
        .on(|| make::dummy(VICTIM))
        .twins(trials);
    }
    let whole_word = |name: &str, flags| {
        Attack::new(name, VICTIM, flag("SIOCSIFFLAGS"), move || {
            set_flags(Family::Inet, VICTIM, flags)
        })
    };
    whole_word(
        "siocsifflags_of_promisc_alone_that_brings_down",
        IFF_PROMISC,
    )
    .on(|| make::dummy(VICTIM))
    .twins(trials);
    whole_word(
        "siocsifflags_of_up_and_promisc_at_once",
        IFF_UP | IFF_PROMISC,
    )
    .on(|| make::down(VICTIM, "dummy"))
    .twins(trials);
    // The device shows IFF_PROMISC in flags, and has it not in gflags.
    whole_word(
        "siocsifflags_of_promisc_that_a_packet_socket_has_already",
        IFF_UP | IFF_PROMISC,
    )
    .on(|| {
        make::dummy(VICTIM)?;
        packet::join(index_of(VICTIM)?, Membership::Promiscuous)
    })
    .twins(trials);
    Attack::new(
        "siocsifflags_by_altname",
        VICTIM,
        flag("SIOCSIFFLAGS"),
        || set_flags(Family::Inet, ALTERNATIVE, IFF_UP | IFF_PROMISC),
    )
    .on(|| {
        make::dummy(VICTIM)?;
        add_alternative_name(VICTIM, ALTERNATIVE)
    })
    .twins(trials);
    Attack::new("sysfs_flags_write", VICTIM, flag("sysfs"), || {
        sysfs::set_flags(VICTIM, IFF_UP | IFF_PROMISC)
    })
    .on(|| make::dummy(VICTIM))
    .twins(trials);
    Attack::new(
        "siocsifflags_with_all_capabilities",
        VICTIM,
        flag("SIOCSIFFLAGS"),
        || change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0),
    )
    .on(|| make::dummy(VICTIM))
    .with_all_capabilities()
    .twins(trials);
}
