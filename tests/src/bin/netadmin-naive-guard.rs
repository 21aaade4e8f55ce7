//! A guard as it should not be, for the tests of races: `netadmin-naive-guard
//! CGROUP-ID` guards that one cgroup until it is killed.

use anyhow::{Context as _, Result, ensure};
use aya::programs::Lsm;
use aya::{Btf, EbpfLoader};

/// The eBPF object, embedded by the build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/naive.bpf.o"));

const PROGRAMS: [(&str, &str); 2] = [
    ("naive_file_ioctl", "file_ioctl"),
    ("naive_socket_setsockopt", "socket_setsockopt"),
];

fn main() -> Result<()> {
    let cgroup: u64 = std::env::args()
        .nth(1)
        .context("give the id of a cgroup")?
        .parse()
        .context("the id of a cgroup is a number")?;
    ensure!(
        !OBJECT.is_empty(),
        "built without eBPF: use `cargo xtask build`"
    );
    let mut ebpf = EbpfLoader::new()
        .override_global("GUARDED", &cgroup, true)
        .load(OBJECT)
        .context("load the object")?;
    let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
    for (name, hook) in PROGRAMS {
        let program: &mut Lsm = ebpf
            .program_mut(name)
            .with_context(|| format!("no program {name}"))?
            .try_into()?;
        program
            .load(hook, &btf)
            .with_context(|| format!("load {name}"))?;
        program.attach().with_context(|| format!("attach {name}"))?;
    }
    eprintln!("netadmin-naive-guard: in force");
    loop {
        std::thread::park();
    }
}
