//! The JSON documents that describe an image, and its blobs by digest.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use oci_spec::image::{
    Arch, Config, ConfigBuilder, Descriptor, DescriptorBuilder, Digest, ImageConfigurationBuilder,
    ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder,
    RootFsBuilder,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{AGENT, NAME, TAG};

/// What a person sees of an image in a registry.
const LABELS: [(&str, &str); 4] = [
    ("org.opencontainers.image.title", "netadmin-agent"),
    ("org.opencontainers.image.version", TAG),
    (
        "org.opencontainers.image.licenses",
        env!("CARGO_PKG_LICENSE"),
    ),
    (
        "org.opencontainers.image.source",
        env!("CARGO_PKG_REPOSITORY"),
    ),
];

/// A document or a layer, and what others refer to it by.
#[derive(Debug)]
pub struct Blob {
    /// Type, size and digest.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Blob {
    /// Bytes of a type.
    pub fn new(media_type: MediaType, content: Vec<u8>) -> Result<Self> {
        let size = content.len().try_into().context("a size")?;
        let digest: Digest = digest(&content).parse().context("a digest")?;
        let descriptor = Descriptor::new(media_type, size, digest);
        Ok(Self {
            descriptor,
            content,
        })
    }
}

/// The digest as OCI writes it.
pub fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// How a container of the image is run. `diff_id` is the digest of the one
/// layer before it was compressed.
pub fn configuration(diff_id: &str) -> Result<Blob> {
    let document = ImageConfigurationBuilder::default()
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .config(process()?)
        .rootfs(
            RootFsBuilder::default()
                .typ("layers")
                .diff_ids(vec![diff_id.to_owned()])
                .build()?,
        )
        .build()?;
    Blob::new(MediaType::ImageConfig, json(&document)?)
}

fn process() -> Result<Config> {
    let process = ConfigBuilder::default()
        .user("0:0")
        .entrypoint(vec![AGENT.to_owned()])
        .working_dir("/")
        .labels(map(&LABELS))
        .build()?;
    Ok(process)
}

/// What the image is made of.
pub fn manifest(configuration: &Blob, layer: &Blob) -> Result<Blob> {
    let document = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(configuration.descriptor.clone())
        .layers(vec![layer.descriptor.clone()])
        .annotations(map(&LABELS))
        .build()?;
    Blob::new(MediaType::ImageManifest, json(&document)?)
}

/// The archive's table of contents: one image, by its name.
pub fn index(manifest: &Blob) -> Result<Vec<u8>> {
    let platform = PlatformBuilder::default()
        .architecture(Arch::Amd64)
        .os(Os::Linux)
        .build()?;
    let name = format!("{NAME}:{TAG}");
    // The specification's name is the tag alone; containerd has one of its own
    // for the whole name, and podman takes a whole name in either.
    let names = [
        ("org.opencontainers.image.ref.name", name.as_str()),
        ("io.containerd.image.name", name.as_str()),
    ];
    let entry = DescriptorBuilder::default()
        .media_type(manifest.descriptor.media_type().clone())
        .digest(manifest.descriptor.digest().clone())
        .size(manifest.descriptor.size())
        .platform(platform)
        .annotations(map(&names))
        .build()?;
    let document = ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![entry])
        .build()?;
    json(&document)
}

/// The file that says that a directory is an image layout.
pub fn layout_version() -> Result<Vec<u8>> {
    let document = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()?;
    json(&document)
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = pairs
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    owned.collect()
}

/// With sorted keys: the specification's types have hash maps in them, whose
/// order changes from run to run.
fn json(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(document).context("write JSON")?;
    value.sort_all_objects();
    serde_json::to_vec(&value).context("write JSON")
}
