//! Names that the policy excepts: a guarded task may not take them (decision 6).

use super::VICTIM;
use super::exceptions::{EXCEPTED, EXCEPTIONS};
use crate::attack::ioctl;
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{Target, index_of, tun};
use crate::rig::{Expected, Refusal, Trials, make};

/// How a device comes by a name: the test's name, the way, and the act.
type Taking = (&'static str, &'static str, fn() -> std::io::Result<()>);

const TAKINGS: [Taking; 7] = [
    ("siocsifname_into_an_excepted_name", "SIOCSIFNAME", || {
        ioctl::rename(VICTIM, EXCEPTED)
    }),
    ("rtm_setlink_into_an_excepted_name", "RTM_SETLINK", || {
        link::request(change(RTM_SETLINK, Target::Index(index_of(VICTIM)?)).name(EXCEPTED))
    }),
    ("rtm_newlink_of_an_excepted_name", "RTM_NEWLINK", || {
        link::request(link::create(EXCEPTED, "dummy"))
    }),
    ("siocbraddbr_of_an_excepted_name", "SIOCBRADDBR", || {
        ioctl::add_bridge(EXCEPTED)
    }),
    ("siocsifbr_of_an_excepted_name", "SIOCBRADDBR", || {
        ioctl::add_bridge_of_old(EXCEPTED)
    }),
    ("siocaddtunnel_of_an_excepted_name", "SIOCADDTUNNEL", || {
        ioctl::add_tunnel(EXCEPTED)
    }),
    ("tunsetiff_of_an_excepted_name", "TUNSETIFF", || {
        tun::persistent_tap(EXCEPTED)
    }),
];

/// The same names, but no exception of the kind that a tap is.
const NAMES: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
allow = ["mirror*"]
"#;

pub fn add(trials: &mut Trials) {
    for (name, via, take) in TAKINGS {
        let expected = Expected::of("promiscuous.excepted_name", via);
        let policy = if via == "TUNSETIFF" {
            NAMES
        } else {
            EXCEPTIONS
        };
        let taken = || Ok(index_of(EXCEPTED).is_ok());
        Refusal::new(name, expected, take, taken)
            .on(|| make::down(VICTIM, "dummy"))
            .under(policy)
            .twins(trials);
    }
}
