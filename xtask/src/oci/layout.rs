//! Puts an image together: layer, configuration, manifest, index, archive.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use oci_spec::image::MediaType;

use super::document::{self, Blob, digest};
use super::files::{self, File};

/// A finished image.
#[derive(Debug)]
pub struct Image {
    /// The OCI archive.
    pub archive: Vec<u8>,
    /// The manifest's digest, by which registries and nodes know the image.
    pub digest: String,
}

/// An image of one layer with these files.
pub fn assemble(content: &[File]) -> Result<Image> {
    let tar = files::archive(content)?;
    let layer = Blob::new(MediaType::ImageLayerGzip, compressed(&tar)?)?;
    let configuration = document::configuration(&digest(&tar))?;
    let manifest = document::manifest(&configuration, &layer)?;
    let mut entries = vec![
        File::data("oci-layout", document::layout_version()?),
        File::data("index.json", document::index(&manifest)?),
    ];
    for blob in [&manifest, &configuration, &layer] {
        let hash = blob.descriptor.digest().digest();
        let path = format!("blobs/sha256/{hash}");
        entries.push(File::data(&path, blob.content.clone()));
    }
    Ok(Image {
        archive: files::archive(&entries)?,
        digest: manifest.descriptor.digest().to_string(),
    })
}

/// gzip, which every runtime reads; its header holds no name and no time.
fn compressed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    writer.write_all(bytes).context("compress a layer")?;
    writer.finish().context("compress a layer")
}
