//! What a kernel may lack: asked of the kernel, never of its version.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::Container;
use crate::attack::{link, openvswitch};

static ANSWERS: Mutex<BTreeMap<&str, bool>> = Mutex::new(BTreeMap::new());

/// Whether this kernel has no links of that type. Asked once for each.
pub fn is_missing(link_type: &'static str) -> Result<bool> {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = answers.get(link_type) {
        return Ok(*answer);
    }
    let answer = Container::unguarded()?.set_up(|| Ok(refuses_type(link_type)))?;
    answers.insert(link_type, answer);
    Ok(answer)
}

/// Anything but "operation not supported" comes from the link type itself, which
/// asks for what an empty request has not. (Those of Open vSwitch are not made by
/// rtnetlink.)
fn refuses_type(link_type: &str) -> bool {
    let made: io::Result<()> = match link_type {
        "openvswitch" => openvswitch::add_datapath("probe0"),
        _ => link::request(link::create("probe0", link_type)),
    };
    made.is_err_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP))
}
