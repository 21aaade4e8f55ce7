//! Control groups, by the id of their kernfs node.

use super::{
    Address,
    cast::{follow, through},
    layout,
};

/// Whether a `struct cgroup` is of the v2 hierarchy, whose number is 0: ids are
/// only unique within one.
#[inline(always)]
pub fn is_v2(cgroup: Address) -> Option<bool> {
    let hierarchy: u32 = cgroup
        .follow(&layout::CGROUP_ROOT)?
        .read(&layout::CGROUP_ROOT_HIERARCHY_ID)?;
    Some(hierarchy == 0)
}

/// The id of a `struct cgroup`.
#[inline(always)]
pub fn id(cgroup: Address) -> Option<u64> {
    cgroup
        .follow(&layout::CGROUP_KN)?
        .read(&layout::KERNFS_NODE_ID)
}

/// The id of a `struct cgroup` that was come to by [`follow`]; `None` for NULL.
///
/// # Safety
/// As [`through`].
#[inline(always)]
pub unsafe fn id_of_typed(cgroup: *const u8) -> Option<u64> {
    if cgroup.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let node = follow(cgroup, &layout::CGROUP_KN);
        (!node.is_null()).then(|| through(node, &layout::KERNFS_NODE_ID))
    }
}

/// The id of its parent; `None` for a root.
#[inline(always)]
pub fn parent_id(cgroup: Address) -> Option<u64> {
    id(parent(cgroup)?)
}

/// Its parent; `None` for a root.
#[inline(always)]
pub fn parent(cgroup: Address) -> Option<Address> {
    let css = cgroup.follow(&layout::CGROUP_PARENT_CSS)?;
    if css.is_null() {
        return None;
    }
    css.follow(&layout::CSS_CGROUP)
}
