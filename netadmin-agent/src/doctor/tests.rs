use std::fs;

use super::*;

/// A machine on which everything is as it should be.
const GOOD: &[(&str, &str)] = &[
    (
        "proc/self/status",
        "Name:\tagent\nCapEff:\t000001ffffffffff\n",
    ),
    ("proc/self/uid_map", "         0          0 4294967295\n"),
    ("proc/sys/kernel/osrelease", "6.12.48+deb13-amd64\n"),
    ("sys/kernel/btf/vmlinux", "BTF"),
    (
        "sys/kernel/security/lsm",
        "lockdown,capability,landlock,yama,apparmor,bpf",
    ),
    (
        "sys/kernel/security/lockdown",
        "[none] integrity confidentiality\n",
    ),
    ("proc/sys/net/core/bpf_jit_enable", "1\n"),
    (
        "proc/kallsyms",
        "ffffffff81000300 T netlink_unicast\nffffffff81000500 T netlink_sendmsg\n",
    ),
    (
        "proc/self/mountinfo",
        "22 27 0:21 / /sys/kernel/security rw shared:9 - securityfs securityfs rw\n\
         25 22 0:22 / /sys/fs/cgroup rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n\
         26 22 0:23 / /sys/fs/bpf rw shared:11 - bpf bpf rw,mode=700\n",
    ),
];

/// What is found on the good machine with one file changed, or gone.
fn found(path: &str, text: Option<&str>) -> Vec<Finding> {
    let directory = tempfile::tempdir().expect("a directory");
    for (good_path, good_text) in GOOD {
        let text = if *good_path == path {
            text
        } else {
            Some(*good_text)
        };
        let file = directory.path().join(good_path);
        if let Some(text) = text {
            fs::create_dir_all(file.parent().expect("a parent")).expect("directories");
            fs::write(file, text).expect("written");
        }
    }
    checks::all(&Root::at(directory.path()))
}

/// The one line that is not `ok` when one file is changed, or gone.
fn complaint(path: &str, text: Option<&str>) -> String {
    let findings = found(path, text);
    let lines: Vec<String> = findings
        .iter()
        .filter(|finding| finding.state != State::Ok)
        .map(Finding::to_string)
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

#[test]
fn a_good_machine_has_no_complaint() {
    let findings = found("", None);
    assert!(
        findings.iter().all(|finding| finding.state == State::Ok),
        "{findings:#?}"
    );
    assert_eq!(exit(&findings), Exit::Success);
    assert_eq!(render(&findings).lines().count(), findings.len());
}

#[test]
fn without_bpf_in_the_lsm_list_the_remedy_is_the_whole_list() {
    let path = "sys/kernel/security/lsm";
    let line = complaint(path, Some("lockdown,capability,yama"));
    assert!(line.starts_with("fail  LSM list"), "{line}");
    assert!(line.contains("add lsm=lockdown,yama,bpf to the kernel command line"));
    assert_eq!(exit(&found(path, Some("capability"))), Exit::CannotEnforce);
    let similar = complaint(path, Some("capability,bpfilter"));
    assert!(similar.starts_with("fail"), "{similar}");
}

#[test]
fn without_the_lsm_list_the_remedy_is_to_mount_or_to_allow() {
    let line = complaint("sys/kernel/security/lsm", None);
    assert!(line.contains("cannot be read"), "{line}");
    let empty = Root::at("/nowhere");
    let lines = render(&checks::all(&empty));
    assert!(lines.contains("mount -t securityfs"), "{lines}");
}

#[test]
fn without_btf_the_machine_cannot_enforce() {
    let line = complaint("sys/kernel/btf/vmlinux", None);
    assert!(line.starts_with("fail  BTF"), "{line}");
    assert!(line.contains("CONFIG_DEBUG_INFO_BTF"));
}

#[test]
fn without_capabilities_the_missing_ones_are_named() {
    let status = |bits: u64| format!("CapEff:\t{bits:016x}\n");
    let path = "proc/self/status";
    let none = complaint(path, Some(&status(0)));
    assert!(
        none.contains("CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF, CAP_DAC_READ_SEARCH missing"),
        "{none}"
    );
    let no_bpf = complaint(path, Some(&status(1 << 2 | 1 << 12 | 1 << 38)));
    assert!(no_bpf.contains(" CAP_BPF missing"), "{no_bpf}");
    // CAP_SYS_ADMIN stands for those that programs take, and for no other.
    let no_ids = complaint(path, Some(&status(1 << 21)));
    assert!(no_ids.contains(" CAP_DAC_READ_SEARCH missing"), "{no_ids}");
    for enough in [1 << 2 | 1 << 12 | 1 << 38 | 1 << 39, 1 << 2 | 1 << 21] {
        assert_eq!(exit(&found(path, Some(&status(enough)))), Exit::Success);
    }
}

#[test]
fn without_the_kernels_addresses_pieces_of_the_capability_cannot_be_told_apart() {
    let hidden = "0000000000000000 T netlink_unicast\n";
    for text in [Some(hidden), Some(""), None] {
        let line = complaint("proc/kallsyms", text);
        assert!(line.starts_with("warn  kallsyms"), "{line}");
        assert!(line.contains("`[policy.net_admin]` are refused"), "{line}");
        assert!(!line.contains("CAP_SYSLOG missing"), "{line}");
    }
}

#[test]
fn root_in_another_user_namespace_is_not_enough() {
    let line = complaint("proc/self/uid_map", Some("0 1000 1\n"));
    assert!(line.contains("another user namespace"), "{line}");
}

#[test]
fn lockdown_forbids_in_confidentiality_only() {
    let path = "sys/kernel/security/lockdown";
    let line = complaint(path, Some("none integrity [confidentiality]"));
    assert!(line.starts_with("fail  lockdown"), "{line}");
    for fine in [Some("none [integrity] confidentiality"), None] {
        assert_eq!(exit(&found(path, fine)), Exit::Success);
    }
}

#[test]
fn cgroup2_may_be_missing_or_beside_version_1() {
    let path = "proc/self/mountinfo";
    let others = "22 27 0:21 / /sys/kernel/security rw - securityfs s rw\n\
                  26 22 0:23 / /sys/fs/bpf rw - bpf bpf rw\n";
    let missing = complaint(path, Some(others));
    assert!(missing.starts_with("fail  cgroup2"), "{missing}");
    let hybrid = format!(
        "{others}30 22 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw\n\
         31 22 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    );
    let line = complaint(path, Some(&hybrid));
    assert!(
        line.starts_with("warn  cgroup2       /sys/fs/cgroup/unified"),
        "{line}"
    );
}

#[test]
fn what_is_only_unpleasant_is_a_warning() {
    for (path, text) in [
        ("proc/sys/net/core/bpf_jit_enable", Some("0\n")),
        ("proc/sys/net/core/bpf_jit_enable", None),
        ("proc/sys/kernel/osrelease", Some("5.15.0-101-generic\n")),
        ("proc/sys/kernel/osrelease", Some("odd\n")),
    ] {
        let line = complaint(path, text);
        assert!(
            line.starts_with("warn") && line.contains("to mend it: "),
            "{line}"
        );
        assert_eq!(exit(&found(path, text)), Exit::Success);
    }
}

#[test]
fn a_refused_program_load_is_one_line_whatever_the_kernel_says() {
    let line = checks::program_load(Some(Err("EPERM\nlog".to_owned()))).to_string();
    assert!(line.starts_with("fail  program load"), "{line}");
    assert_eq!(line.lines().count(), 1);
    let fine = checks::program_load(Some(Ok(())));
    assert_eq!(fine.state, State::Ok);
}
