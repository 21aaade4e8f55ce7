//! What is not tried of itself: the test that shows it all the same, or why it
//! need not be.

use netadmin_bypass::attack::{Abi, Arrival};
use netadmin_bypass::ways::{Call, Effect, Subject};

use super::cell::{By, Cell, Evidence};

/// The first rule that fits a cell says what there is to show for it.
struct Rule {
    fits: fn(&Cell) -> bool,
    evidence: Evidence,
}

pub fn evidence(cell: &Cell) -> Option<Evidence> {
    let rule = RULES.iter().find(|rule| (rule.fits)(cell))?;
    Some(rule.evidence)
}

const RULES: &[Rule] = &[
    Rule {
        fits: |cell| cell.route.abi == Abi::X32,
        evidence: Evidence::Reason(
            "Debian's kernels are built without x32 (CONFIG_X86_X32_ABI); where there is \
             one, `netadmin-bypass` tries the paths with other arrivals",
        ),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && is_membership(cell),
        evidence: Evidence::Test(
            "promise1::packet_add_membership_promisc_on_a_socket_from_outside_is_refused",
        ),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && is_option(cell),
        evidence: Evidence::Test(
            "promise2::setsockopt_so_priority_on_a_socket_from_outside_is_judged",
        ),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && cell.path.call == Call::Ioctl,
        evidence: Evidence::Test("bypass::siocsifflags_on_a_socket_from_outside_is_refused"),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && cell.path.call == Call::Netlink,
        evidence: Evidence::Test("bypass::rtm_setlink_on_a_socket_from_outside_is_refused"),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && cell.path.call == Call::File,
        evidence: Evidence::Reason(
            "the hook asks for the writer's cgroup when the file is written; \
             who opened it is not looked at",
        ),
    },
    Rule {
        fits: |cell| cell.by == By::SocketFromOutside && cell.path.call == Call::Control,
        evidence: Evidence::Reason(
            "the kernel asks for the sender's capability, whosever socket it is \
             (`__sock_cmsg_send`)",
        ),
    },
    Rule {
        fits: |cell| cell.by == By::Program,
        evidence: Evidence::Test("promise5::threads_children_and_programs_are_guarded"),
    },
    Rule {
        fits: |cell| cell.by == By::NestedCgroup,
        evidence: Evidence::Test("promise5::a_cgroup_deep_below_is_guarded"),
    },
    Rule {
        fits: |cell| cell.by == By::NetworkNamespace,
        evidence: Evidence::Test("promise5::a_network_namespace_frees_nobody"),
    },
    Rule {
        fits: |cell| cell.by == By::Bypass(Subject::UserNamespace) && is_option(cell),
        evidence: Evidence::Test("promise5::a_user_namespace_frees_nobody"),
    },
    Rule {
        fits: |cell| cell.by != By::Bypass(Subject::Process),
        evidence: Evidence::Reason(
            "every program asks for the task's cgroup in the same way, on every path; \
             tried by the paths with other arrivals, by the usual call",
        ),
    },
    Rule {
        fits: |cell| is_other(cell) && cell.path.call == Call::Netlink,
        evidence: Evidence::Reason(
            "`netlink_sendmsg` copies the datagram and then asks `security_netlink_send`, \
             whichever call brought it; tried on each by `RTM_SETLINK, by index`",
        ),
    },
    Rule {
        fits: |cell| is_other(cell) && is_membership(cell),
        evidence: Evidence::Reason(
            "the arrival decides whether the value is seen, not which value it is; tried \
             on each by `PACKET_MR_PROMISC`",
        ),
    },
    Rule {
        fits: |cell| is_other(cell) && is_option(cell),
        evidence: Evidence::Reason(
            "the arrival decides whether `capable` knows the call, not which value it \
             is; tried on each by `SO_PRIORITY 7`, `SO_DEBUG`, `SO_MARK`",
        ),
    },
    Rule {
        fits: |cell| is_other(cell) && cell.path.call == Call::Control,
        evidence: Evidence::Reason(
            "whichever call brought it, `____sys_sendmsg` copies the control message, and \
             `__sock_cmsg_send` asks; tried on each by `SO_MARK, control message`",
        ),
    },
];

fn is_other(cell: &Cell) -> bool {
    cell.route.arrival != Arrival::Usual
}

fn is_membership(cell: &Cell) -> bool {
    cell.path.call == Call::Setsockopt && cell.path.effect != Effect::Told
}

fn is_option(cell: &Cell) -> bool {
    cell.path.call == Call::Setsockopt && cell.path.effect == Effect::Told
}
