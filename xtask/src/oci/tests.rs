//! The archive read again, by the specification's own rules.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, OciLayout};
use tar::{Archive, Entry};

use super::document::digest;
use super::files::{File, require_static};
use super::layout::{Image, assemble};
use super::{AGENT, NAME, TAG};

type Files = BTreeMap<String, Vec<u8>>;

fn example(program: &[u8]) -> Result<Image> {
    assemble(&[
        File::program(AGENT, program.to_vec()),
        File::data("/usr/share/doc/a", b"text".to_vec()),
    ])
}

/// The files of a tar archive; each entry must say nothing of when and by whom.
fn read_tar(bytes: &[u8]) -> Result<Files> {
    let mut files = Files::new();
    for entry in Archive::new(bytes).entries()? {
        let mut entry = entry?;
        anonymous(&entry)?;
        let path = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        ensure!(
            files.insert(path.clone(), content).is_none(),
            "{path} is there twice"
        );
    }
    Ok(files)
}

fn anonymous(entry: &Entry<'_, &[u8]>) -> Result<()> {
    let header = entry.header();
    ensure!((header.uid()?, header.gid()?, header.mtime()?) == (0, 0, 0));
    let name = |name: Option<&str>| name.unwrap_or_default().is_empty();
    ensure!(name(header.username()?) && name(header.groupname()?));
    Ok(())
}

/// What a descriptor refers to, if size and digest are right.
fn blob<'a>(files: &'a Files, descriptor: &Descriptor) -> Result<&'a [u8]> {
    let path = format!("blobs/sha256/{}", descriptor.digest().digest());
    let content = files.get(&path).with_context(|| format!("no {path}"))?;
    ensure!(digest(content) == descriptor.digest().to_string());
    ensure!(content.len() as u64 == descriptor.size());
    Ok(content)
}

#[test]
fn the_same_input_gives_the_same_archive() -> Result<()> {
    // Several times: the order of a hash map changes from one to the next.
    let first = example(b"program")?;
    for _ in 0..8 {
        let again = example(b"program")?;
        assert_eq!(again.digest, first.digest);
        assert!(again.archive == first.archive);
    }
    Ok(())
}

#[test]
fn another_program_gives_another_digest() -> Result<()> {
    assert_ne!(example(b"program")?.digest, example(b"programs")?.digest);
    Ok(())
}

#[test]
fn every_blob_is_what_its_descriptor_says() -> Result<()> {
    let image = example(b"program")?;
    let files = read_tar(&image.archive)?;
    let file = |name: &str| files.get(name).with_context(|| format!("no {name}"));
    let layout: OciLayout = serde_json::from_slice(file("oci-layout")?)?;
    assert_eq!(layout.image_layout_version(), "1.0.0");
    let index: ImageIndex = serde_json::from_slice(file("index.json")?)?;
    let [entry] = index.manifests().as_slice() else {
        anyhow::bail!("not one manifest: {index:?}");
    };
    assert_eq!(entry.digest().to_string(), image.digest);
    let annotations = entry.annotations().as_ref().context("no annotations")?;
    assert_eq!(
        annotations["io.containerd.image.name"],
        format!("{NAME}:{TAG}")
    );
    let manifest: ImageManifest = serde_json::from_slice(blob(&files, entry)?)?;
    let configuration: ImageConfiguration =
        serde_json::from_slice(blob(&files, manifest.config())?)?;
    let [layer] = manifest.layers().as_slice() else {
        anyhow::bail!("not one layer: {manifest:?}");
    };
    let mut tar = Vec::new();
    GzDecoder::new(blob(&files, layer)?).read_to_end(&mut tar)?;
    assert_eq!(configuration.rootfs().diff_ids().as_slice(), [digest(&tar)]);
    assert_eq!(read_tar(&tar)?["usr/bin/netadmin-agent"], b"program");
    // The layout, the index, the three blobs and the two directories above them.
    assert_eq!(files.len(), 7, "{:?}", files.keys());
    Ok(())
}

#[test]
fn the_agent_can_be_run_and_nothing_else() -> Result<()> {
    let tar = super::files::archive(&[
        File::program(AGENT, b"program".to_vec()),
        File::data("/a", b"text".to_vec()),
    ])?;
    let mut modes = Vec::new();
    for entry in Archive::new(tar.as_slice()).entries()? {
        let entry = entry?;
        modes.push((entry.path()?.display().to_string(), entry.header().mode()?));
    }
    let expected = [
        ("usr/", 0o755),
        ("usr/bin/", 0o755),
        ("usr/bin/netadmin-agent", 0o755),
        ("a", 0o644),
    ];
    assert_eq!(modes, expected.map(|(path, mode)| (path.to_owned(), mode)));
    Ok(())
}

#[test]
fn a_dynamic_program_is_refused() -> Result<()> {
    // This test program itself has a loader.
    let own = std::fs::read(std::env::current_exe()?)?;
    let error = require_static(&own).err().context("it was taken")?;
    assert_eq!(error.to_string(), "it is linked dynamically");
    assert!(require_static(b"#!/bin/sh\n").is_err());
    Ok(())
}

#[test]
fn the_daemonset_runs_this_image() -> Result<()> {
    let manifest = crate::paths::workspace().join("deploy/daemonset.yaml");
    let text = std::fs::read_to_string(manifest)?;
    let image = format!("image: {NAME}:{TAG}");
    assert!(text.lines().any(|line| line.trim() == image), "no {image}");
    Ok(())
}
