//! Where the functions lie that the programs look for on the kernel's stack
//! (`netadmin-ebpf/src/kernel/symbols.rs` has the same order).

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// The functions, each with others that do for kernels without it.
pub const FUNCTIONS: [&str; 8] = [
    "netlink_unicast",
    "kernfs_fop_write_iter",
    "proc_sys_call_handler",
    "__sock_cmsg_send",
    "do_sock_setsockopt",
    "task_work_run",
    "chrdev_open",
    "netlink_bind",
];

/// The place in that list of what handles control messages.
pub const CONTROL_MESSAGE: u32 = 3;

/// Without this one no netlink message could be told from anything else.
const REQUIRED: &str = FUNCTIONS[0];

const KALLSYMS: &str = "/proc/kallsyms";

/// Why the functions could not be found.
#[derive(Debug, thiserror::Error)]
pub enum SymbolError {
    /// The list of symbols cannot be read.
    #[error("{KALLSYMS}, which `[policy.net_admin]` needs: {0}")]
    Unreadable(#[from] io::Error),
    /// The list has no addresses.
    #[error(
        "{KALLSYMS} shows no addresses, which `[policy.net_admin]` needs: \
         give the agent CAP_SYSLOG, and set the sysctl kernel.kptr_restrict to 1 or 0"
    )]
    Hidden,
    /// The list does not have it.
    #[error("this kernel has no function `{REQUIRED}`; please report the kernel's version")]
    Missing,
}

/// The first address of each function and the one after its last; what this
/// kernel lacks is empty.
pub type Ranges = [(u64, u64); FUNCTIONS.len()];

/// Finds them.
pub fn find() -> Result<Ranges, SymbolError> {
    find_with(|path| Ok(BufReader::with_capacity(1 << 16, File::open(path)?)))
}

/// The same with a list that `open` opens.
pub fn find_with<B: BufRead>(open: impl Fn(&str) -> io::Result<B>) -> Result<Ranges, SymbolError> {
    find_in(open(KALLSYMS)?)
}

fn find_in(lines: impl BufRead) -> Result<Ranges, SymbolError> {
    let mut starts = [0; FUNCTIONS.len()];
    let mut text: Vec<u64> = Vec::new();
    for line in lines.lines() {
        let line = line?;
        let mut words = line.split(' ');
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Modules come last, and have a third column.
        if name.contains('\t') {
            break;
        }
        if !matches!(kind, "t" | "T") {
            continue;
        }
        let address = u64::from_str_radix(address, 16).unwrap_or(0);
        text.push(address);
        if let Some(place) = FUNCTIONS.iter().position(|function| *function == name) {
            starts[place] = address;
        }
    }
    if text.iter().all(|address| *address == 0) {
        return Err(SymbolError::Hidden);
    }
    if starts[0] == 0 {
        return Err(SymbolError::Missing);
    }
    let end = |start: u64| text.iter().copied().filter(|other| *other > start).min();
    Ok(starts.map(|start| match end(start) {
        Some(end) if start != 0 => (start, end),
        _ => (u64::MAX, 0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
ffffffff81000000 T _text
ffffffff81000200 t netlink_unicast_kernel
ffffffff81000300 T netlink_unicast
ffffffff81000500 D some_data
ffffffff81000580 T netlink_sendmsg
ffffffff81000700 T __sock_cmsg_send
ffffffff81000900 T last
ffffffffc0000000 t netlink_unicast\t[module]
";

    #[test]
    fn a_function_ends_where_the_next_one_begins() {
        let found = find_in(LIST.as_bytes()).expect("found");
        assert_eq!(found[0], (0xffff_ffff_8100_0300, 0xffff_ffff_8100_0580));
        assert_eq!(found[3], (0xffff_ffff_8100_0700, 0xffff_ffff_8100_0900));
    }

    #[test]
    fn what_is_not_there_contains_nothing() {
        let found = find_in(LIST.as_bytes()).expect("found");
        assert_eq!(found[1], (u64::MAX, 0));
    }

    #[test]
    fn hidden_addresses_and_a_missing_function_are_told() {
        let hidden = "0000000000000000 T netlink_unicast\n";
        assert!(matches!(
            find_in(hidden.as_bytes()),
            Err(SymbolError::Hidden)
        ));
        let other = "ffffffff81000000 T _text\n";
        assert!(matches!(
            find_in(other.as_bytes()),
            Err(SymbolError::Missing)
        ));
    }
}
