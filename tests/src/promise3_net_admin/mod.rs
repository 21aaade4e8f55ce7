//! Promise 3: `CAP_NET_ADMIN` in pieces.

/// The policy that grants these operations, and no others.
macro_rules! deny_all_but {
    ($($operation:literal),*) => {
        concat!(
            "version = 1\n[[policy]]\nname = \"cnf\"\n",
            "match.cgroups = [\"/netadmin-test/guarded/**\"]\n",
            "[policy.net_admin]\ndefault = \"deny\"\n",
            "allow = [", $("\"", $operation, "\", ",)* "]\n"
        )
    };
}

mod area;
mod areas;
mod arrivals;
mod beside;
#[cfg(test)]
mod catalogue;
mod conditions;
mod crafted;
mod differential;
pub(crate) mod ethtool;
mod options;
mod places;
mod plain;
mod ppp;
mod sysctls;
mod ulp;

use libtest_mimic::Trial;

use crate::rig::Trials;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise3");
    areas::add(&mut trials, area::AREAS);
    areas::add_dumps(&mut trials);
    places::add(&mut trials);
    arrivals::add(&mut trials);
    beside::add(&mut trials);
    conditions::add(&mut trials);
    crafted::add(&mut trials);
    ethtool::add(&mut trials);
    options::add(&mut trials);
    sysctls::add(&mut trials);
    ulp::add(&mut trials);
    differential::add(&mut trials);
    let mut plain = Trials::new("promise3::plain");
    plain::add(&mut plain);
    let mut all = trials.finish();
    all.append(&mut plain.finish());
    all
}
