//! Offsets in bytes of the kernel's struct fields. The agent overrides each of
//! these globals by name at load time (`netadmin-agent/src/kernel/layout.rs`
//! has the list of paths); the values here are never used.

use aya_ebpf::Global;

/// The offset of one field.
pub type Offset = Global<u64>;

macro_rules! layout {
    ($($name:ident),+ $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            pub static $name: Offset = Global::new(u64::MAX);
        )+
    };
}

layout! {
    CGROUP_KN,
    CGROUP_PARENT_CSS,
    CGROUP_ROOT,
    CGROUP_ROOT_HIERARCHY_ID,
    CRED_UID,
    CSS_CGROUP,
    DEVICE_KOBJ,
    FILE_INODE,
    FILE_PRIVATE_DATA,
    GENL_FAMILY_ID,
    GENL_FAMILY_NAME,
    INODE_MODE,
    KERNFS_NODE_ID,
    KERNFS_NODE_NAME,
    KERNFS_NODE_PARENT,
    KERNFS_NODE_PRIV,
    KERNFS_OPEN_FILE_KN,
    KOBJECT_PARENT,
    NETDEV_ADJACENT_DEV,
    NETDEV_ADJACENT_LIST,
    NETDEV_ADJACENT_MASTER,
    NET_DEVICE_ADDR_ASSIGN_TYPE,
    NET_DEVICE_FLAGS,
    NET_DEVICE_GFLAGS,
    NET_DEVICE_IFINDEX,
    NET_DEVICE_INDEX_HLIST,
    NET_DEVICE_LIST,
    NET_DEVICE_LOWER,
    NETDEV_NAME_NODE_LIST,
    NETDEV_NAME_NODE_NAME,
    NET_DEVICE_DEV,
    NET_DEVICE_DEV_ADDR,
    NET_DEVICE_NAME,
    NET_DEVICE_NAME_NODE,
    NET_DEVICE_ND_NET,
    NET_DEVICE_PRIV,
    NET_DEVICE_PRIV_FLAGS,
    NET_DEVICE_PROMISCUITY,
    NET_DEVICE_RTNL_LINK_OPS,
    NET_DEVICE_UC_COUNT,
    NET_DEVICE_UC_PROMISC,
    NET_DEVICE_UPPER,
    NET_DEV_BASE_HEAD,
    NET_DEV_INDEX_HEAD,
    NET_NS_INUM,
    PT_REGS_BX,
    PT_REGS_CX,
    PT_REGS_DX,
    PT_REGS_ORIG_AX,
    PT_REGS_SI,
    RTNL_LINK_OPS_KIND,
    SK_BUFF_DATA,
    SK_BUFF_DATA_LEN,
    SK_BUFF_LEN,
    SOCKET_SK,
    SOCK_CGROUP,
    SOCK_NET,
    SOCK_PROTOCOL,
    TASK_COMM,
    TASK_CRED,
    TASK_FLAGS,
    TASK_IO_URING,
    TASK_PID,
    TASK_STATUS,
    TASK_TGID,
    // No offset but a type's number: see `cast`.
    TYPE_OF_WORDS,
}
