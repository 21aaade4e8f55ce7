//! Names that the policy excepts: a guarded task may not take them (decision 6).

use anyhow::{Result, ensure};

use super::VICTIM;
use super::exceptions::{EXCEPTED, EXCEPTIONS};
use crate::attack::ioctl::{self, VlanCommand};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{Target, index_of, tun};
use crate::rig::{Expected, Refusal, Stage, Trials, USUAL_POLICY, Watch, is_missing, make};

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

/// All that it can do raises nothing, and where no name is excepted it works: the
/// vlan has the address of the device below.
fn vlans_pass(stage: &Stage<'_>) -> Result<()> {
    if is_missing("vlan")? {
        println!("note: this kernel has no vlans");
        return Ok(());
    }
    let container = stage.guarded()?;
    container.set_up(|| make::dummy(VICTIM))?;
    let watch = Watch::begin(stage)?;
    let text = container.run(|| {
        let vlan = format!("{VICTIM}.7");
        ioctl::vlan(VlanCommand::Add, VICTIM, 7)?;
        make::up(&vlan)?;
        // Reordering is on; GVRP, which asks for multicast, is not.
        ioctl::vlan(VlanCommand::Flag, &vlan, 2)?;
        ioctl::vlan(VlanCommand::Ingress, &vlan, 1)?;
        ioctl::vlan(VlanCommand::Egress, &vlan, 1)?;
        let text = std::fs::read_to_string(format!("/proc/net/vlan/{vlan}"));
        ioctl::vlan(VlanCommand::Delete, &vlan, 0)?;
        text
    })?;
    ensure!(text.contains("VID: 7"), "{text}");
    watch.saw_no_rise()?;
    watch.saw_no_event()
}

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
    // `%s.%i`, as vlans are called if nobody has said otherwise.
    let expected = Expected::of("promiscuous.excepted_name", "SIOCSIFVLAN");
    Refusal::new(
        "siocsifvlan_of_an_excepted_name",
        expected,
        || ioctl::vlan(VlanCommand::Add, "mirror", 7),
        || Ok(index_of("mirror.7").is_ok()),
    )
    .on(|| make::dummy("mirror"))
    .needs(&["vlan"])
    .under(EXCEPTIONS)
    .twins(trials);
    trials.guarded(USUAL_POLICY, "siocsifvlan_passes", vlans_pass);
}
