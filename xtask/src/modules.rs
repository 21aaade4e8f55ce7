//! The kernel modules that go into the guest, decompressed and in order.
//!
//! Debian's packages come without `modules.dep` (depmod makes it when they are
//! installed), so dependencies are read from the modules themselves.

mod modinfo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cpio::Archive;
use modinfo::ModInfo;

/// Loaded by init, so that no test waits for modprobe or depends on its rights.
/// The parameters keep some from making devices nobody asked for.
const LOADED: &[(&str, &str)] = &[
    ("dummy", "numdummies=0"),
    ("veth", ""),
    ("bridge", ""),
    ("macvlan", ""),
    ("macvtap", ""),
    ("8021q", ""),
    ("tun", ""),
    ("bonding", "max_bonds=0"),
    ("ipvlan", ""),
    ("ipvtap", ""),
    ("vxlan", ""),
    ("wireguard", ""),
    ("macsec", ""),
    ("team", ""),
    ("openvswitch", ""),
    ("vrf", ""),
    ("ifb", "numifbs=0"),
    // The legacy iptables loads them itself, which a container's root may not.
    ("ip_tables", ""),
    ("iptable_filter", ""),
    ("overlay", ""),
];

/// There for the kernel's own requests, which modprobe serves.
const AVAILABLE: &[&str] = &[
    "act_mirred",
    "af_key",
    "af_packet_diag",
    "arptable_filter",
    "batman-adv",
    "bluetooth",
    "can-gw",
    "cls_bpf",
    "cls_fw",
    "cls_matchall",
    "cls_u32",
    // rdma_rxe asks for it by its algorithm's name.
    "crc32_generic",
    "dccp",
    "dccp_ipv4",
    "ebtable_filter",
    "fou",
    "geneve",
    "gre",
    "hsr",
    "inet_diag",
    "ip6_gre",
    "ip6_tunnel",
    "ip_set_hash_ip",
    "ip_gre",
    "ip_vs",
    "ip_vs_rr",
    "ip_vti",
    "ipip",
    "kcm",
    "l2tp_eth",
    "l2tp_netlink",
    "mac80211_hwsim",
    "netconsole",
    "netlink_diag",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_nat",
    "nf_tables",
    "nfnetlink_acct",
    "nfnetlink_cthelper",
    "nfnetlink_cttimeout",
    "nfnetlink_log",
    "nfnetlink_queue",
    "nft_chain_nat",
    "nft_compat",
    "nft_ct",
    "nft_log",
    "nft_masq",
    "nft_nat",
    "nlmon",
    "ovpn",
    "ppp_generic",
    "qrtr",
    "raw_diag",
    "rdma_rxe",
    "sch_fq_codel",
    "sch_htb",
    "sch_ingress",
    "sch_netem",
    "sch_prio",
    "sctp",
    "sit",
    "tcp_diag",
    "tcp_vegas",
    "tipc",
    "team_mode_roundrobin",
    "tls",
    "udp_diag",
    "unix_diag",
    "vcan",
    "vport-geneve",
    "vport-gre",
    "vport-vxlan",
    "vsock",
    "vsock_diag",
    "vsock_loopback",
    "vsockmon",
    "vxcan",
    "xfrm_interface",
    "xfrm_user",
    "xt_comment",
    "xt_conntrack",
    "xt_mark",
    "xt_MASQUERADE",
    "xt_multiport",
    "xt_tcpudp",
];

/// A module as it goes into the archive.
#[derive(Debug)]
struct Module {
    /// Path below `/lib/modules/RELEASE`, without the compression's ending.
    path: String,
    content: Vec<u8>,
    info: ModInfo,
}

/// A name that changes when the choice of modules does, or the way they are packed.
pub fn choice() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    include_str!("modules.rs").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Packs the modules that exist in `directory`, which is `lib/modules/RELEASE`.
pub fn pack(directory: &Path) -> Result<Vec<u8>> {
    let release = directory.file_name().and_then(|name| name.to_str());
    let root = format!(
        "/lib/modules/{}",
        release.context("the modules have no release")?
    );
    let mut chosen = Chosen::default();
    let files = module_files(directory)?;
    for (name, _) in LOADED {
        chosen.add(&canonical(name), &files, directory)?;
    }
    let load_order = load_order(&chosen, &root);
    for name in AVAILABLE {
        chosen.add(&canonical(name), &files, directory)?;
    }
    let mut archive = Archive::default();
    archive.file("/lib/modules/load-order", load_order.as_bytes())?;
    archive.file(
        &format!("{root}/modules.dep"),
        chosen.dependencies().as_bytes(),
    )?;
    archive.file(
        &format!("{root}/modules.alias"),
        chosen.aliases().as_bytes(),
    )?;
    archive.file(&format!("{root}/modules.symbols"), b"")?;
    for module in &chosen.order {
        archive.file(&format!("{root}/{}", module.path), &module.content)?;
    }
    archive.finish()
}

/// What init loads: paths, each with the module's parameters.
fn load_order(chosen: &Chosen, root: &str) -> String {
    let parameters: BTreeMap<_, _> = LOADED
        .iter()
        .map(|(name, parameters)| (canonical(name), *parameters))
        .collect();
    let line = |module: &Module| {
        let name = module_name(&module.path).unwrap_or_default();
        format!(
            "{root}/{} {}\n",
            module.path,
            parameters.get(&name).unwrap_or(&"")
        )
    };
    chosen.order.iter().map(line).collect()
}

/// Modules in an order in which each comes after those it needs.
#[derive(Debug, Default)]
struct Chosen {
    order: Vec<Module>,
    /// Position in `order`; `None` while the module's own needs are looked at.
    positions: BTreeMap<String, Option<usize>>,
}

impl Chosen {
    /// Adds a module after those it needs; one this kernel lacks is left out.
    fn add(&mut self, name: &str, files: &Files, directory: &Path) -> Result<()> {
        let Some(file) = files.get(name) else {
            return Ok(());
        };
        if self.positions.contains_key(name) {
            return Ok(());
        }
        self.positions.insert(name.to_owned(), None);
        let content = decompressed(file)?;
        let info = ModInfo::read(&content).with_context(|| format!("read {}", file.display()))?;
        for needed in &info.depends {
            self.add(&canonical(needed), files, directory)?;
        }
        let path = file
            .strip_prefix(directory)
            .context("a module outside its directory")?;
        let path = uncompressed_name(&path.to_string_lossy()).to_owned();
        self.positions
            .insert(name.to_owned(), Some(self.order.len()));
        self.order.push(Module {
            path,
            content,
            info,
        });
        Ok(())
    }

    /// The positions of every module that `module` needs.
    fn needed_by(&self, module: &Module, found: &mut BTreeSet<usize>) {
        for name in &module.info.depends {
            let position = self.positions.get(&canonical(name)).copied().flatten();
            if let Some(position) = position
                && found.insert(position)
            {
                self.needed_by(&self.order[position], found);
            }
        }
    }

    /// `modules.dep`. modprobe loads what a line lists from its end on, so there each
    /// stands before those that it needs.
    fn dependencies(&self) -> String {
        let line = |module: &Module| {
            let mut found = BTreeSet::new();
            self.needed_by(module, &mut found);
            let paths = found
                .iter()
                .rev()
                .map(|&position| &self.order[position].path);
            let needed: String = paths.map(|path| format!(" {path}")).collect();
            format!("{}:{needed}\n", module.path)
        };
        self.order.iter().map(line).collect()
    }

    /// `modules.alias`.
    fn aliases(&self) -> String {
        let mut text = String::new();
        for module in &self.order {
            let name = module_name(&module.path).unwrap_or_default();
            for alias in &module.info.aliases {
                text += &format!("alias {alias} {name}\n");
            }
        }
        text
    }
}

type Files = BTreeMap<String, PathBuf>;

/// Every module file below `directory`, by the module's name.
fn module_files(directory: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut open = vec![directory.join("kernel")];
    while let Some(directory) = open.pop() {
        let entries =
            fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?;
        for entry in entries {
            let path = entry
                .with_context(|| format!("list {}", directory.display()))?
                .path();
            if path.is_dir() {
                open.push(path);
            } else if let Some(name) = module_name(&path.to_string_lossy()) {
                files.insert(name, path);
            }
        }
    }
    Ok(files)
}

/// The name under which the kernel knows the module of a file.
fn module_name(path: &str) -> Option<String> {
    let file = Path::new(uncompressed_name(path)).file_name()?.to_str()?;
    Some(canonical(file.strip_suffix(".ko")?))
}

fn uncompressed_name(path: &str) -> &str {
    let endings = [".xz", ".zst", ".gz"];
    endings
        .iter()
        .find_map(|ending| path.strip_suffix(ending))
        .unwrap_or(path)
}

/// The kernel takes `-` and `_` for the same.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn decompressed(file: &Path) -> Result<Vec<u8>> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => return fs::read(file).with_context(|| format!("read {}", file.display())),
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => "gzip",
    };
    let run = Command::new(program).arg("-dc").arg(file).output();
    let output = run.with_context(|| format!("run {program}; `cargo xtask setup` installs it"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("{program} -dc {}: {}", file.display(), reason.trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::{Chosen, ModInfo, Module, module_name};

    fn module(path: &str, depends: &[&str]) -> Module {
        let depends = depends.iter().map(|&name| name.to_owned()).collect();
        let info = ModInfo {
            depends,
            aliases: vec![format!("rtnl-link-{path}")],
        };
        Module {
            path: path.to_owned(),
            content: Vec::new(),
            info,
        }
    }

    fn chosen() -> Chosen {
        let order = vec![
            module("net/stp.ko", &[]),
            module("net/llc-x.ko", &["stp"]),
            // The one that is needed by the other comes first here.
            module("b.ko", &["stp", "llc-x"]),
        ];
        let names = ["stp", "llc_x", "b"];
        let positions = names
            .iter()
            .enumerate()
            .map(|(i, name)| ((*name).to_owned(), Some(i)));
        Chosen {
            positions: positions.collect(),
            order,
        }
    }

    #[test]
    fn names_are_canonical_whatever_the_compression() {
        assert_eq!(
            module_name("kernel/net/batman-adv.ko.xz").as_deref(),
            Some("batman_adv")
        );
        assert_eq!(module_name("kernel/net/tun.ko").as_deref(), Some("tun"));
        assert_eq!(module_name("modules.order"), None);
    }

    #[test]
    fn modules_dep_lists_all_that_is_needed_once() {
        assert_eq!(
            chosen().dependencies(),
            "net/stp.ko:\nnet/llc-x.ko: net/stp.ko\nb.ko: net/llc-x.ko net/stp.ko\n"
        );
    }

    #[test]
    fn modules_alias_gives_the_module_of_each_alias() {
        assert!(
            chosen()
                .aliases()
                .contains("alias rtnl-link-net/llc-x.ko llc_x\n")
        );
    }
}
