//! Where the running kernel keeps the fields that the programs read, from its
//! BTF. The programs get each offset as a read-only global of the same name
//! (`netadmin-ebpf/src/kernel/layout.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{btf::Btf, little};

/// The kernel's own type information.
pub const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Global, struct, and path of the field within it.
const FIELDS: &[(&str, &str, &str)] = &[
    ("CGROUP_KN", "cgroup", "kn"),
    ("CGROUP_PARENT_CSS", "cgroup", "self.parent"),
    ("CGROUP_ROOT", "cgroup", "root"),
    ("CGROUP_ROOT_HIERARCHY_ID", "cgroup_root", "hierarchy_id"),
    ("CRED_UID", "cred", "uid.val"),
    ("CSS_CGROUP", "cgroup_subsys_state", "cgroup"),
    ("DEVICE_KOBJ", "device", "kobj"),
    ("FILE_INODE", "file", "f_inode"),
    ("FILE_PRIVATE_DATA", "file", "private_data"),
    ("GENL_FAMILY_ID", "genl_family", "id"),
    ("GENL_FAMILY_NAME", "genl_family", "name"),
    ("INODE_MODE", "inode", "i_mode"),
    ("KERNFS_NODE_ID", "kernfs_node", "id"),
    ("KERNFS_NODE_NAME", "kernfs_node", "name"),
    ("KERNFS_NODE_PARENT", "kernfs_node", "parent"),
    ("KERNFS_NODE_PRIV", "kernfs_node", "priv"),
    ("KERNFS_OPEN_FILE_KN", "kernfs_open_file", "kn"),
    ("KOBJECT_PARENT", "kobject", "parent"),
    ("NETDEV_ADJACENT_DEV", "netdev_adjacent", "dev"),
    ("NETDEV_ADJACENT_LIST", "netdev_adjacent", "list"),
    ("NETDEV_ADJACENT_MASTER", "netdev_adjacent", "master"),
    (
        "NET_DEVICE_ADDR_ASSIGN_TYPE",
        "net_device",
        "addr_assign_type",
    ),
    ("NET_DEVICE_FLAGS", "net_device", "flags"),
    ("NET_DEVICE_GFLAGS", "net_device", "gflags"),
    ("NET_DEVICE_IFINDEX", "net_device", "ifindex"),
    ("NET_DEVICE_INDEX_HLIST", "net_device", "index_hlist"),
    ("NET_DEVICE_LIST", "net_device", "dev_list"),
    ("NET_DEVICE_LOWER", "net_device", "adj_list.lower"),
    ("NETDEV_NAME_NODE_LIST", "netdev_name_node", "list"),
    ("NETDEV_NAME_NODE_NAME", "netdev_name_node", "name"),
    ("NET_DEVICE_DEV", "net_device", "dev"),
    ("NET_DEVICE_DEV_ADDR", "net_device", "dev_addr"),
    ("NET_DEVICE_NAME", "net_device", "name"),
    ("NET_DEVICE_NAME_NODE", "net_device", "name_node"),
    ("NET_DEVICE_ND_NET", "net_device", "nd_net.net"),
    ("NET_DEVICE_PRIV", "net_device", "priv"),
    ("NET_DEVICE_PRIV_FLAGS", "net_device", "priv_flags"),
    ("NET_DEVICE_PROMISCUITY", "net_device", "promiscuity"),
    ("NET_DEVICE_RTNL_LINK_OPS", "net_device", "rtnl_link_ops"),
    ("NET_DEVICE_UC_COUNT", "net_device", "uc.count"),
    ("NET_DEVICE_UC_PROMISC", "net_device", "uc_promisc"),
    ("NET_DEVICE_UPPER", "net_device", "adj_list.upper"),
    ("NET_DEV_BASE_HEAD", "net", "dev_base_head"),
    ("NET_DEV_INDEX_HEAD", "net", "dev_index_head"),
    ("NET_NS_INUM", "net", "ns.inum"),
    ("PT_REGS_BX", "pt_regs", "bx"),
    ("PT_REGS_CX", "pt_regs", "cx"),
    ("PT_REGS_DX", "pt_regs", "dx"),
    ("PT_REGS_ORIG_AX", "pt_regs", "orig_ax"),
    ("PT_REGS_SI", "pt_regs", "si"),
    ("RTNL_LINK_OPS_KIND", "rtnl_link_ops", "kind"),
    ("SK_BUFF_DATA", "sk_buff", "data"),
    ("SK_BUFF_DATA_LEN", "sk_buff", "data_len"),
    ("SK_BUFF_LEN", "sk_buff", "len"),
    ("SOCKET_SK", "socket", "sk"),
    ("SOCK_CGROUP", "sock", "sk_cgrp_data.cgroup"),
    ("SOCK_NET", "sock", "__sk_common.skc_net.net"),
    ("SOCK_PROTOCOL", "sock", "sk_protocol"),
    ("TASK_COMM", "task_struct", "comm"),
    ("TASK_CRED", "task_struct", "cred"),
    ("TASK_FLAGS", "task_struct", "flags"),
    ("TASK_IO_URING", "task_struct", "io_uring"),
    ("TASK_PID", "task_struct", "pid"),
    ("TASK_STATUS", "task_struct", "thread_info.status"),
    ("TASK_TGID", "task_struct", "tgid"),
];

/// Fields that were renamed: struct, name of before, name of today.
const RENAMED: &[(&str, &str, &str)] = &[("kernfs_node", "parent", "__parent")];

/// How much of a `struct sock` the value program copies, in bytes
/// (`netadmin-ebpf/src/hooks/value.rs`).
const SOCK_COMMON_LEN: u64 = 64;

/// Why the layout could not be found.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The kernel has no readable BTF.
    #[error(
        "{path}: {reason}: the kernel's type information is needed; \
         use a kernel built with CONFIG_DEBUG_INFO_BTF"
    )]
    Btf {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A struct or field that the programs read is not there.
    #[error(
        "this kernel has no field `{field}` in `struct {container}`: \
         this version of the agent does not support it; please report the kernel's version"
    )]
    Field {
        /// The struct.
        container: &'static str,
        /// The field's path.
        field: &'static str,
    },
}

/// The global that says what an address is cast to, and the struct: its first
/// field is an integer of eight bytes.
const WORDS: (&str, &str) = ("TYPE_OF_WORDS", "timespec64");

/// The offsets of all fields, by the global's name.
#[derive(Clone, Debug)]
pub struct Layout {
    offsets: Vec<(&'static str, u64)>,
    rdonly_cast: Option<u32>,
    hooks: Vec<u8>,
}

impl Layout {
    /// Reads the running kernel's layout from its BTF at `path`, and where in it
    /// `hooks` are, by the names of their types.
    pub fn read(path: &Path, hooks: &[String]) -> Result<Self, LayoutError> {
        let no_btf = |reason: String| LayoutError::Btf {
            path: path.to_owned(),
            reason,
        };
        let bytes = fs::read(path).map_err(|error| no_btf(error.to_string()))?;
        let btf = Btf::parse(&bytes).map_err(|error| no_btf(error.to_string()))?;
        let mut offsets = FIELDS
            .iter()
            .map(|&(global, container, field)| {
                let offset = offset(&btf, container, field)
                    .filter(|offset| global != "SOCK_NET" || offset + 8 <= SOCK_COMMON_LEN)
                    .ok_or(LayoutError::Field { container, field })?;
                Ok((global, offset))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let words = btf.structure(WORDS.1);
        let rdonly_cast = words.and_then(|_| btf.function("bpf_rdonly_cast"));
        let words = rdonly_cast.and(words).unwrap_or_default();
        offsets.push((WORDS.0, u64::from(words)));
        let hooks = little::btf(&btf, hooks);
        Ok(Self {
            offsets,
            rdonly_cast,
            hooks,
        })
    }

    /// The number of the kfunc `bpf_rdonly_cast`, if this kernel has it.
    pub fn rdonly_cast(&self) -> Option<u32> {
        self.rdonly_cast
    }

    /// BTF that knows nothing but the hooks that were asked for.
    pub fn hooks(&self) -> &[u8] {
        &self.hooks
    }

    /// The globals with their values.
    pub fn globals(&self) -> impl Iterator<Item = (&'static str, &u64)> {
        self.offsets
            .iter()
            .map(|(global, offset)| (*global, offset))
    }
}

/// `NETDEV_ALIGN` (include/linux/netdevice.h), in bytes.
const NETDEV_ALIGN: u64 = 32;

/// `netdev_priv` of before 6.10: what a driver keeps lies behind the struct.
fn behind(btf: &Btf, container: &str, field: &str) -> Option<u64> {
    if (container, field) != ("net_device", "priv") {
        return None;
    }
    Some(btf.size(container)?.next_multiple_of(NETDEV_ALIGN))
}

/// The offset of a field, by its name of before or of today.
fn offset(btf: &Btf, container: &str, field: &str) -> Option<u64> {
    let renamed = RENAMED
        .iter()
        .find(|(owner, before, _)| (*owner, *before) == (container, field));
    btf.offset(container, field)
        .or_else(|| btf.offset(container, renamed?.2))
        .or_else(|| behind(btf, container, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = Layout::read(Path::new("/nonexistent/btf"), &[]).expect_err("no file");
        assert!(error.to_string().contains("/nonexistent/btf"), "{error}");
    }

    #[test]
    fn every_global_is_named_once() {
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.0).collect();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}
