//! What a process holds in memory, and in maps.

use std::fs;

use anyhow::{Context as _, Result};

/// Kibibytes that a process has in memory (`VmRSS`).
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read its status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .context("no VmRSS")
}

/// Bytes of the BPF maps that a process has open, as the kernel accounts them.
pub fn maps_of(pid: u32) -> Result<u64> {
    let mut bytes = 0;
    let mut seen = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).context("list its files")? {
        // One may be closed meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse::<u64>().ok())
        };
        if let (Some(id), Some(memory)) = (field("map_id:"), field("memlock:"))
            && !seen.contains(&id)
        {
            seen.push(id);
            bytes += memory;
        }
    }
    Ok(bytes)
}
