//! `SIOCSIFFLAGS`, on every family of socket; and sysfs, which sets the same word.

use super::{VICTIM, flag};
use crate::attack::ioctl::{Family, change_flags, set_flags, set_flags_by_number};
use crate::attack::link::add_alternative_name;
use crate::attack::{IFF_PROMISC, IFF_UP, Membership, index_of, packet, sysfs};
use crate::rig::{Attack, Expected, Trials, make};

/// Bits that no number of a call has.
const ABOVE: libc::c_long = 0xdead << 32;

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
    // The kernel takes the lower half of the call's number (entry_SYSCALL_64).
    Attack::new(
        "siocsifflags_with_bits_above_the_number_of_the_call",
        VICTIM,
        flag("SIOCSIFFLAGS"),
        || set_flags_by_number(libc::SYS_ioctl | ABOVE, VICTIM, IFF_UP | IFF_PROMISC),
    )
    .on(|| make::dummy(VICTIM))
    .twins(trials);
    add_sysfs(trials);
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

/// What `kstrtoul` reads as a number.
fn add_sysfs(trials: &mut Trials) {
    let unjudged = Expected::of("promiscuous.unjudged", "sysfs");
    let texts = [
        ("sysfs_flags_write", "0x101", flag("sysfs")),
        ("sysfs_flags_write_with_a_newline", "0x101\n", flag("sysfs")),
        ("sysfs_flags_write_in_decimal", "257", flag("sysfs")),
        ("sysfs_flags_write_in_octal", "0401", flag("sysfs")),
        (
            "sysfs_flags_write_with_bits_above_the_word",
            "0x700000101",
            flag("sysfs"),
        ),
        ("sysfs_flags_write_with_a_plus", "+0x101", unjudged),
        (
            "sysfs_flags_write_of_many_zeros",
            "0x0000000000000000000000000000000000000101",
            unjudged,
        ),
    ];
    for (name, text, expected) in texts {
        Attack::new(name, VICTIM, expected, move || {
            sysfs::write(VICTIM, "flags", text)
        })
        .on(|| make::dummy(VICTIM))
        .twins(trials);
    }
}
