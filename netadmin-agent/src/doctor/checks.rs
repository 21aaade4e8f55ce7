//! The checks: pure functions of the files that the kernel tells of itself in.

use super::finding::Finding;
use super::mounts::{Mount, mounts};
use super::root::Root;
use crate::inventory::Inventory;
use crate::kernel::symbols;

/// All checks that need nothing but files.
pub fn all(root: &Root) -> Vec<Finding> {
    let mut findings = required(root);
    findings.push(functions(root));
    findings
}

/// Those without which nothing is enforced. (To read /proc/kallsyms takes the kernel as
/// long as all the rest of a start.)
pub fn required(root: &Root) -> Vec<Finding> {
    vec![
        privileges(root),
        kernel(root),
        btf(root),
        lsm(root),
        lockdown(root),
        cgroup2(root),
        jit(root),
        bpffs(root),
    ]
}

/// The capabilities that loading and attaching take (linux/capability.h), and
/// the one that stands for all of them.
const FOR_PROGRAMS: [(u32, &str); 3] =
    [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
const CAP_SYS_ADMIN: u32 = 21;
/// What finding a cgroup by its id takes; nothing stands for it.
const FOR_CGROUPS: (u32, &str) = (2, "CAP_DAC_READ_SEARCH");
/// The user namespace that the machine began with maps every id to itself.
const INITIAL_UID_MAP: [&str; 3] = ["0", "0", "4294967295"];

fn privileges(root: &Root) -> Finding {
    const WHAT: &str = "privileges";
    let uid_map = root.read("/proc/self/uid_map").unwrap_or_default();
    if !uid_map.is_empty() && !uid_map.split_whitespace().eq(INITIAL_UID_MAP) {
        let remedy = "run in the initial user namespace (in a pod: hostUsers: true)";
        return Finding::fail(WHAT, "this is another user namespace", remedy);
    }
    let effective = effective_capabilities(root);
    let has = |capability: u32| effective >> capability & 1 == 1;
    let programs = FOR_PROGRAMS.iter().filter(|_| !has(CAP_SYS_ADMIN));
    let missing: Vec<&str> = programs
        .chain([&FOR_CGROUPS])
        .filter(|(capability, _)| !has(*capability))
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        let all = "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_DAC_READ_SEARCH";
        return Finding::ok(WHAT, all);
    }
    let detail = format!("{} missing", missing.join(", "));
    Finding::fail(WHAT, detail, "run as root, or with these capabilities")
}

fn effective_capabilities(root: &Root) -> u64 {
    let status = root.read("/proc/self/status").unwrap_or_default();
    let mut fields = status.lines().filter_map(|line| line.split_once(':'));
    let field = fields.find(|(key, _)| *key == "CapEff");
    let bits = field.map(|(_, value)| u64::from_str_radix(value.trim(), 16));
    bits.and_then(Result::ok).unwrap_or_default()
}

/// The oldest kernel of the test matrix. Nothing hangs on the number: what an
/// older one lacks, the other checks and the start of the agent say by name.
const OLDEST_TESTED: (u32, u32) = (6, 1);

fn kernel(root: &Root) -> Finding {
    const WHAT: &str = "kernel";
    let release = root.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_TESTED => Finding::ok(WHAT, release),
        (Some(_), Some(_)) => {
            let (major, minor) = OLDEST_TESTED;
            let detail = format!("{release} is older than any that this was tested on");
            Finding::warn(WHAT, detail, format!("use {major}.{minor} or newer"))
        }
        _ => Finding::warn(
            WHAT,
            "its version cannot be read",
            "mount /proc: mount -t proc proc /proc",
        ),
    }
}

fn btf(root: &Root) -> Finding {
    const WHAT: &str = "BTF";
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    if root.has(PATH) {
        return Finding::ok(WHAT, PATH);
    }
    let remedy = "use a kernel with CONFIG_DEBUG_INFO_BTF=y (those of distributions have it), \
                  and mount sysfs";
    Finding::fail(WHAT, format!("there is no {PATH}"), remedy)
}

fn lsm(root: &Root) -> Finding {
    const WHAT: &str = "LSM list";
    let Ok(list) = root.read("/sys/kernel/security/lsm") else {
        return no_lsm_list(root);
    };
    let names: Vec<&str> = list.split(',').collect();
    if names.contains(&"bpf") {
        return Finding::ok(WHAT, list);
    }
    // `capability` is always there, and not the command line's affair.
    let mut wanted: Vec<&str> = names
        .into_iter()
        .filter(|&name| name != "capability")
        .collect();
    wanted.push("bpf");
    let remedy = format!(
        "add lsm={} to the kernel command line (Debian: GRUB_CMDLINE_LINUX in \
         /etc/default/grub, then update-grub) and reboot",
        wanted.join(",")
    );
    Finding::fail(WHAT, format!("bpf is not in {list}"), remedy)
}

fn no_lsm_list(root: &Root) -> Finding {
    const WHAT: &str = "LSM list";
    if mounts(root).iter().any(|mount| mount.kind == "securityfs") {
        let remedy = "use a kernel with CONFIG_SECURITY=y and CONFIG_BPF_LSM=y, \
                      and let the agent read /sys/kernel/security";
        return Finding::fail(WHAT, "/sys/kernel/security/lsm cannot be read", remedy);
    }
    let remedy = "mount -t securityfs securityfs /sys/kernel/security \
                  (in a pod: a hostPath volume)";
    Finding::fail(WHAT, "securityfs is not mounted", remedy)
}

fn lockdown(root: &Root) -> Finding {
    const WHAT: &str = "lockdown";
    match root.read("/sys/kernel/security/lockdown") {
        Ok(modes) if modes.contains("[confidentiality]") => Finding::fail(
            WHAT,
            "confidentiality, which forbids programs to read kernel memory",
            "boot with lockdown=integrity, or without lockdown=confidentiality",
        ),
        Ok(modes) => Finding::ok(WHAT, modes),
        Err(_) if root.has("/sys/kernel/security/lsm") => Finding::ok(WHAT, "not in this kernel"),
        Err(_) => Finding::warn(WHAT, "it cannot be read without securityfs", "see LSM list"),
    }
}

const CGROUP2_ONLY: &str = "boot with systemd.unified_cgroup_hierarchy=1";

fn cgroup2(root: &Root) -> Finding {
    const WHAT: &str = "cgroup2";
    let mounts = mounts(root);
    let Some(mount) = cgroup2_mount(&mounts) else {
        let remedy = "mount -t cgroup2 cgroup2 /sys/fs/cgroup (in a pod: a hostPath volume)";
        return Finding::fail(WHAT, "it is not mounted", remedy);
    };
    if mounts.iter().any(|mount| mount.kind == "cgroup") {
        let detail = format!(
            "{}, beside cgroup v1, by which containers may be put in cgroups that v2 does not know",
            mount.point
        );
        return Finding::warn(WHAT, detail, CGROUP2_ONLY);
    }
    Finding::ok(WHAT, mount.point.clone())
}

/// The whole cgroup2 tree, where one expects it if it is there.
fn cgroup2_mount(mounts: &[Mount]) -> Option<&Mount> {
    let trees = || mounts.iter().filter(|mount| mount.kind == "cgroup2");
    trees()
        .find(|mount| mount.point == "/sys/fs/cgroup")
        .or_else(|| trees().find(|mount| mount.root == "/"))
        .or_else(|| trees().next())
}

fn jit(root: &Root) -> Finding {
    const WHAT: &str = "JIT";
    const PATH: &str = "/proc/sys/net/core/bpf_jit_enable";
    match root.read(PATH).as_deref() {
        Ok("0") => Finding::warn(
            WHAT,
            "off: programs are interpreted, which is slow",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Ok(_) => Finding::ok(WHAT, "on"),
        Err(_) => Finding::warn(
            WHAT,
            "it shows in the host's network namespace only",
            "look there: sysctl net.core.bpf_jit_enable",
        ),
    }
}

fn bpffs(root: &Root) -> Finding {
    const WHAT: &str = "bpffs";
    match mounts(root).iter().find(|mount| mount.kind == "bpf") {
        Some(mount) => Finding::ok(WHAT, mount.point.clone()),
        None => Finding::warn(
            WHAT,
            "it is not mounted, so that nothing can outlive the agent",
            "mount -t bpf bpf /sys/fs/bpf (in a pod: a hostPath volume)",
        ),
    }
}

const CAP_SYSLOG: u32 = 34;

/// Whether the functions are found that the programs look for on the kernel's stack.
fn functions(root: &Root) -> Finding {
    const WHAT: &str = "kallsyms";
    let Err(error) = symbols::find_with(|path| root.open(path)) else {
        return Finding::ok(WHAT, "`[policy.net_admin]` can be enforced");
    };
    let missing = effective_capabilities(root) >> CAP_SYSLOG & 1 == 0;
    let why = if missing { "CAP_SYSLOG missing; " } else { "" };
    Finding::warn(
        WHAT,
        format!("{why}policies with `[policy.net_admin]` are refused: {error}"),
        "give CAP_SYSLOG (in a pod: SYSLOG), let the agent read /proc/kallsyms, and \
         sysctl kernel.kptr_restrict=1",
    )
}

/// Whether a cgroup was found by its id, as each new one has to be.
pub fn cgroup_ids(tried: Result<(), String>) -> Finding {
    const WHAT: &str = "cgroup ids";
    match tried {
        Ok(()) => Finding::ok(WHAT, "a cgroup is found by its id"),
        Err(reason) => Finding::fail(
            WHAT,
            format!("a cgroup is not found by its id, so that new ones go unseen: {reason}"),
            "give CAP_DAC_READ_SEARCH, and look at seccomp rules on open_by_handle_at(2)",
        ),
    }
}

/// What came of loading a minimal program. `None`: nobody tried.
pub fn program_load(tried: Option<Result<(), String>>) -> Finding {
    const WHAT: &str = "program load";
    match tried {
        Some(Ok(())) => Finding::ok(WHAT, "the kernel takes a BPF LSM program"),
        Some(Err(reason)) => Finding::fail(
            WHAT,
            format!("the kernel refuses a BPF LSM program: {reason}"),
            "mend what fails above; else look at seccomp and LSM rules on bpf(2), \
             and for CONFIG_BPF_LSM=y",
        ),
        None => Finding::warn(WHAT, "not tried", "start the agent, which tries"),
    }
}

/// What is promiscuous on this machine already. Ports are so in everyday life.
pub fn promiscuous(found: &Inventory) -> Finding {
    const WHAT: &str = "promiscuous";
    let devices = found.devices.iter().filter(|device| !device.is_port);
    let memberships = found.memberships.iter().map(ToString::to_string);
    let lines: Vec<String> = devices
        .map(ToString::to_string)
        .chain(memberships)
        .collect();
    let remedy = "find out what made it so; the agent clears nothing that was there before";
    match (lines.first(), found.unseen.first()) {
        (Some(first), _) if lines.len() > 1 => {
            let detail = format!("{first}; and {} more", lines.len() - 1);
            Finding::warn(WHAT, detail, remedy)
        }
        (Some(first), _) => Finding::warn(WHAT, first, remedy),
        (None, Some(unseen)) => Finding::ok(WHAT, format!("nothing seen, but not in {unseen}")),
        (None, None) => Finding::ok(WHAT, "no device but ports of others, and no packet socket"),
    }
}
