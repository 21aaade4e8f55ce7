//! How much fits into the maps of the programs.

/// Banks of policies, as many as `netadmin_common::guard::BANKS`.
const BANKS: u32 = netadmin_common::guard::BANKS as u32;

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Guarded cgroups.
    pub cgroups: u32,
    /// Policies.
    pub policies: u32,
}

impl Limits {
    /// The index of the policy that cgroups are under for which there is no room: after
    /// those of all banks.
    pub fn strictest(&self) -> u32 {
        BANKS * self.policies
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cgroups: 32_768,
            policies: 512,
        }
    }
}
