//! `cargo xtask test`: checks, host tests, and the VM tests on every kernel.

mod host;
mod matrix;

use anyhow::Result;

use crate::kernels::{self, Kernel};
use crate::node::Node;
use crate::paths::Cache;
use crate::tally::Tally;
use matrix::{Matrix, Special};

use crate::{bench, build, progress, setup};

/// What `cargo xtask test` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Test on this kernel only (may be given more than once): 6.1, 6.12, 7.x, one of them with -plain behind it, or an image's path
    #[arg(long, value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Leave the virtual machines out
    #[arg(long, conflicts_with_all = ["kernel", "no_host"])]
    no_vm: bool,
    /// Leave out what runs on this machine itself
    #[arg(long)]
    no_host: bool,
    #[command(flatten)]
    setup: setup::Options,
    /// Run only tests whose name contains this; formatting and lints are left out then
    filter: Option<String>,
}

/// Runs everything, and ends with the line `N passed, N failed`.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    let mut tally = Tally::default();
    if let Err(error) = run_parts(options, &mut tally) {
        // What did not come to be tested has not passed.
        tally.fail(format!("{error:#}"));
    }
    progress::idle();
    println!("{tally}");
    Ok(u8::from(tally.failed > 0))
}

fn run_parts(options: &Options, tally: &mut Tally) -> Result<()> {
    let filter = options.filter.as_deref();
    if !options.no_host && filter.is_none() {
        *tally += host::formatting()?;
    }
    let object = build::object()?;
    if !options.no_host {
        if filter.is_none() {
            *tally += host::lints(&object)?;
        }
        *tally += host::tests(&object, filter)?;
    }
    if !options.no_vm {
        let programs = build::programs(&object)?;
        let cache = Cache::locate()?;
        let kernels = chosen(options, &cache)?;
        let special = special(&cache, &kernels, filter)?;
        let matrix = Matrix {
            cache: &cache,
            programs: &programs,
            filter,
        };
        *tally += matrix.run(&kernels, &special)?;
        let usual = kernels.iter().find(|kernel| kernel.label == kernels::USUAL);
        if let (Some(kernel), None) = (usual, filter) {
            *tally += bench::gate(&cache, kernel, &programs)?;
        }
    }
    Ok(())
}

/// The node, and the plain kernel, each of the usual series only, unless that or its
/// tests were not asked for.
fn special(cache: &Cache, kernels: &[Kernel], filter: Option<&str>) -> Result<Special> {
    let usual = kernels.iter().find(|kernel| kernel.label == kernels::USUAL);
    let with_node = |kernel: &Kernel| anyhow::Ok((kernel.clone(), Node::prepare(cache)?));
    let node = usual.filter(|_| matrix::runs_on_a_node(filter));
    let plain = usual.filter(|_| matrix::runs_on_a_plain_kernel(filter));
    Ok(Special {
        node: node.map(with_node).transpose()?,
        plain: plain.map(|_| kernels::plain(cache)).transpose()?,
    })
}

fn chosen(options: &Options, cache: &Cache) -> Result<Vec<Kernel>> {
    if options.kernel.is_empty() {
        return kernels::matrix(cache);
    }
    options
        .kernel
        .iter()
        .map(|name| kernels::named(cache, name, None))
        .collect()
}
