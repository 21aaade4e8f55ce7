//! The manifest for Kubernetes says what the project says elsewhere, and asks
//! for no more than it has to.

use std::collections::BTreeSet;
use std::fs;

use clap::Parser as _;
use netadmin_agent::cli::Cli;
use netadmin_agent::policy::{self, source::Source};
use serde_json::Value;

const MANIFEST: &str = "../deploy/daemonset.yaml";

/// Each capability that a container of the agent has.
const CAPABILITIES: [&str; 5] = ["BPF", "DAC_READ_SEARCH", "NET_ADMIN", "PERFMON", "SYSLOG"];

fn text() -> String {
    fs::read_to_string(MANIFEST).expect("the manifest")
}

fn documents() -> Vec<Value> {
    serde_saphyr::from_multiple(&text()).expect("YAML")
}

fn document(kind: &str) -> Value {
    let mut documents = documents();
    documents.retain(|document| document["kind"] == kind);
    assert_eq!(documents.len(), 1, "one {kind}");
    documents.remove(0)
}

/// What the value at a JSON pointer is.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("nothing at {pointer}"))
}

fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_array().expect("a list");
    list.iter()
        .map(|item| item.as_str().expect("a string"))
        .collect()
}

fn pod() -> Value {
    at(&document("DaemonSet"), "/spec/template/spec").clone()
}

fn container() -> Value {
    let pod = pod();
    let containers = pod["containers"].as_array().expect("containers");
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

#[test]
fn the_policy_is_the_example_and_is_good() {
    let text = at(&document("ConfigMap"), "/data/policy.toml").clone();
    let text = text.as_str().expect("a policy").to_owned();
    let example = fs::read_to_string("../examples/policies/cluster.toml").expect("the example");
    assert_eq!(text, example);
    let name = "policy.toml".to_owned();
    let loaded = policy::load_source(Source { name, text }).expect("a good policy");
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_policy_guards_the_pods_of_both_cgroup_drivers_and_nothing_else() {
    let text = fs::read_to_string("../examples/policies/cluster.toml").expect("the example");
    let name = "cluster.toml".to_owned();
    let set = policy::load_source(Source { name, text })
        .expect("a good policy")
        .set;
    for path in [
        "/kubepods.slice",
        "/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/crio-2.scope",
        "/kubepods",
        "/kubepods/pod1/2",
        "/kubepods/besteffort/pod1/2",
    ] {
        assert_eq!(set.policy_for(path), Some(0), "{path}");
    }
    for path in [
        "/",
        "/system.slice/kubelet.service",
        "/system.slice/containerd.service",
    ] {
        assert_eq!(set.policy_for(path), None, "{path}");
    }
}

#[test]
fn image_and_labels_have_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let image = container()["image"].as_str().expect("an image").to_owned();
    assert_eq!(image, format!("localhost/netadmin-agent:{version}"));
    for document in documents() {
        let labels = at(&document, "/metadata/labels");
        assert_eq!(labels["app.kubernetes.io/version"], version);
        assert_eq!(labels["app.kubernetes.io/name"], "netadmin-agent");
        assert_eq!(labels["app.kubernetes.io/part-of"], "netadmin-agent");
    }
}

#[test]
fn the_selector_selects_the_pods() {
    let set = document("DaemonSet");
    let labels = at(&set, "/spec/template/metadata/labels");
    let selector = at(&set, "/spec/selector/matchLabels");
    for (key, value) in selector.as_object().expect("labels") {
        assert_eq!(&labels[key], value);
        // It can never be changed, so it must hold nothing that changes.
        assert_ne!(key, "app.kubernetes.io/version");
    }
}

#[test]
fn it_runs_on_every_node_and_is_replaced_one_at_a_time() {
    let (set, pod) = (document("DaemonSet"), pod());
    assert_eq!(at(&set, "/spec/updateStrategy/type"), "RollingUpdate");
    assert_eq!(
        at(&set, "/spec/updateStrategy/rollingUpdate/maxUnavailable"),
        1
    );
    assert_eq!(
        pod["tolerations"],
        serde_json::json!([{ "operator": "Exists" }])
    );
    assert_eq!(pod["priorityClassName"], "system-node-critical");
}

#[test]
fn it_shares_no_namespace_of_the_host_and_is_not_privileged() {
    let (pod, container) = (pod(), container());
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[key] == false || pod[key].is_null(), "{key}");
    }
    let context = &container["securityContext"];
    assert_eq!(context["privileged"], false);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(at(context, "/seccompProfile/type"), "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
}

#[test]
fn each_capability_has_its_reason() {
    let container = container();
    let capabilities = at(&container, "/securityContext/capabilities");
    assert_eq!(strings(&capabilities["drop"]), ["ALL"]);
    let added: BTreeSet<_> = strings(&capabilities["add"]).into_iter().collect();
    assert_eq!(added, BTreeSet::from(CAPABILITIES));
    let text = text();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    for capability in CAPABILITIES {
        let item = format!("- {capability}");
        let line = lines
            .iter()
            .position(|line| *line == item)
            .expect("a line of its own");
        assert!(
            lines[line - 1].starts_with("# "),
            "{capability} has no reason"
        );
    }
}

#[test]
fn the_unit_gives_what_the_manifest_gives() {
    let unit = fs::read_to_string("../dist/netadmin-agent.service").expect("the unit");
    let setting = |name: &str| {
        let mut lines = unit.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(key, _)| *key == name);
        found.map(|(_, value)| value).expect("the setting")
    };
    let words = setting("CapabilityBoundingSet").split(' ');
    let mut given: BTreeSet<_> = words.filter_map(|word| word.strip_prefix("CAP_")).collect();
    // With what is installed beside it for [policy.net_admin].
    let beside = include_str!("../../dist/net-admin.conf");
    assert!(beside.contains("\nCapabilityBoundingSet=CAP_SYSLOG\n"));
    given.insert("SYSLOG");
    assert_eq!(given, BTreeSet::from(CAPABILITIES));
    let command = setting("ExecStart").split(' ');
    Cli::try_parse_from(command).expect("arguments that this version takes");
}

#[test]
fn each_mount_has_its_volume_and_each_volume_its_mount() {
    let (pod, container) = (pod(), container());
    let names = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]));
}

#[test]
fn only_bpffs_can_be_written_of_the_hosts_directories() {
    let (pod, container) = (pod(), container());
    let mut writable = BTreeSet::new();
    for volume in pod["volumes"].as_array().expect("volumes") {
        let Some(path) = volume.pointer("/hostPath/path") else {
            continue;
        };
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]);
        let mount = mount.expect("its mount");
        assert_eq!(
            &mount["mountPath"], path,
            "the agent looks for it where it is"
        );
        if mount["readOnly"] != true {
            writable.insert(path.as_str().expect("a path").to_owned());
        }
    }
    assert_eq!(writable, BTreeSet::from(["/sys/fs/bpf".to_owned()]));
}

#[test]
fn the_agent_takes_the_arguments() {
    let container = container();
    let arguments = ["netadmin-agent"]
        .into_iter()
        .chain(strings(&container["args"]));
    Cli::try_parse_from(arguments).expect("arguments that this version takes");
}

#[test]
fn the_agent_takes_the_probes_arguments() {
    let container = container();
    let command = strings(at(&container, "/readinessProbe/exec/command"));
    assert_eq!(
        command[0], "/usr/bin/netadmin-agent",
        "the image's entry point"
    );
    Cli::try_parse_from(command).expect("arguments that this version takes");
}
