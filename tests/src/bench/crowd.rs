//! Many guarded cgroups.

use anyhow::{Context as _, Result};

use crate::rig::{Cgroup, child};

/// Makes cgroups below `parent` until there are so many; none is removed.
pub fn grow_to(parent: &str, number: usize) -> Result<()> {
    // In a process of its own: what it allocates would make later forks dearer.
    let ((), _child) = child::spawn(|| {
        Cgroup::make(parent).context("make a cgroup")?;
        for member in 0..number {
            Cgroup::make(&format!("{parent}/crowd-{member}")).context("make a cgroup")?;
        }
        Ok(((), ()))
    })?;
    Ok(())
}
