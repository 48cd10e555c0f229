//! Bringing an archive into the store: everything is staged and verified first, then renamed into place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::digest::Digest;
use crate::error::{ImageError, Refusal};
use crate::layout::{PlannedImage, PlannedLayer, plan};
use crate::limits::Limits;
use crate::source::Source;
use crate::spec::{self, Descriptor, Manifest};
use crate::store::{ImageStore, Record, is_directory, sync};
use crate::unpack::{Job, unpack_layer};

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The layer being read, by the digest of its uncompressed bytes.
    pub diff_id: &'a Digest,
    /// Its place in the image, from 1.
    pub layer: usize,
    /// Layers of the image.
    pub layers: usize,
    /// Bytes read of the packed layer.
    pub done_bytes: u64,
    /// Bytes of the packed layer.
    pub total_bytes: u64,
}

/// An image that is now in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedImage {
    /// Its name, `name:tag`.
    pub reference: String,
    /// What pins it.
    pub manifest_digest: Digest,
    /// Layers that were unpacked now.
    pub layers_unpacked: usize,
    /// Layers that were in the store before.
    pub layers_reused: usize,
    /// Bytes of the packed layers and the configuration.
    pub size_bytes: u64,
}

/// The staging directory of one import, and what is in it.
struct Staging {
    directory: tempfile::TempDir,
    layers: BTreeSet<Digest>,
    blobs: BTreeSet<Digest>,
}

/// A staged image, ready to be published.
struct Staged {
    planned: PlannedImage,
    manifest_digest: Digest,
    layers_unpacked: usize,
    size_bytes: u64,
}

impl ImageStore {
    /// Imports every image of `file`: an OCI image layout or a `docker save` archive, as an uncompressed tar file or a
    /// directory. Of a multi-platform image this machine's is taken. `name` replaces the name in an archive
    /// that holds one image. Either all is imported or nothing.
    ///
    /// Blocks for as long as unpacking takes. Imports may run side by side, in several processes.
    ///
    /// # Errors
    /// [`ImageError::Refused`] when the archive is at fault, [`ImageError::Name`] when it needs a name,
    /// [`ImageError::Helper`] and [`ImageError::Io`] when this machine is.
    pub fn import(
        &self,
        file: &Path,
        name: Option<&str>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<ImportedImage>, ImageError> {
        let _importing = self.lock("importers", FlockOperation::LockShared)?;
        let source = Source::open(file, &self.limits)?;
        let planned = plan(&source, name, &self.limits)?;
        let mut staging = self.stage()?;
        let mut images = Vec::new();
        for image in planned {
            images.push(self.stage_image(&source, image, &mut staging, progress)?);
        }
        self.publish(&staging, &images)?;
        Ok(images.iter().flat_map(imported).collect())
    }

    fn stage(&self) -> Result<Staging, ImageError> {
        let tmp = self.directory.join("tmp");
        let directory = tempfile::Builder::new()
            .prefix("import-")
            .tempdir_in(&tmp)
            .map_err(ImageError::io("make a directory in", &tmp))?;
        for name in ["layers", "blobs"] {
            let path = directory.path().join(name);
            fs::create_dir(&path).map_err(ImageError::io("make", &path))?;
        }
        Ok(Staging { directory, layers: BTreeSet::new(), blobs: BTreeSet::new() })
    }

    fn stage_image(
        &self,
        source: &Source,
        planned: PlannedImage,
        staging: &mut Staging,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Staged, ImageError> {
        let count = planned.layers.len();
        let mut limits = self.limits.clone();
        let mut descriptors = Vec::new();
        let mut layers_unpacked = 0usize;
        let mut size_bytes = u64::try_from(planned.config.len()).unwrap_or(u64::MAX);
        for (number, layer) in (1..).zip(&planned.layers) {
            let size = source.member(&layer.member)?.size;
            let mut done_bytes = 0u64;
            let mut on_bytes = |bytes: u64| {
                done_bytes = done_bytes.saturating_add(bytes);
                let diff_id = &layer.diff_id;
                progress(Progress {
                    diff_id,
                    layer: number,
                    layers: count,
                    done_bytes,
                    total_bytes: size,
                });
            };
            let known = staging.layers.contains(&layer.diff_id)
                || is_directory(&self.layer_path(&layer.diff_id))?;
            let digest = if known {
                source.verify(&layer.member, layer.digest.as_ref(), &mut on_bytes)?
            } else {
                layers_unpacked = layers_unpacked.saturating_add(1);
                self.stage_layer(source, layer, staging, &mut limits, &mut on_bytes)?
            };
            size_bytes = size_bytes.saturating_add(size);
            let media_type = layer.compression.media_type().to_owned();
            descriptors.push(Descriptor {
                media_type,
                digest,
                size,
                platform: None,
                annotations: None,
            });
        }
        let (manifest_digest, manifest) = match &planned.manifest {
            Some((digest, bytes)) => (digest.clone(), bytes.clone()),
            None => make_manifest(&planned, descriptors)?,
        };
        staging.put_blob(&manifest_digest, &manifest)?;
        staging.put_blob(&planned.config_digest, &planned.config)?;
        Ok(Staged { planned, manifest_digest, layers_unpacked, size_bytes })
    }

    fn stage_layer(
        &self,
        source: &Source,
        layer: &PlannedLayer,
        staging: &mut Staging,
        limits: &mut Limits,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<Digest, ImageError> {
        let directory = staging.layer_path(&layer.diff_id);
        fs::create_dir(&directory).map_err(ImageError::io("make", &directory))?;
        let job = Job {
            member: &layer.member,
            digest: layer.digest.as_ref(),
            diff_id: &layer.diff_id,
            compression: layer.compression,
            directory: &directory,
            limits,
        };
        let mut blob = source.member(&layer.member)?;
        let unpacked = unpack_layer(&self.helper, &job, &mut blob, on_bytes)?;
        limits.unpacked_bytes = limits.unpacked_bytes.saturating_sub(unpacked.unpacked_bytes);
        limits.entries = limits.entries.saturating_sub(unpacked.entries);
        staging.layers.insert(layer.diff_id.clone());
        crash_point::crash_point!("images.layer.unpacked");
        Ok(unpacked.digest)
    }

    /// Moves what is staged into place: content first, names last, so that a name never means half an image.
    fn publish(&self, staging: &Staging, images: &[Staged]) -> Result<(), ImageError> {
        let staged = File::open(staging.directory.path());
        let staged = staged.map_err(ImageError::io("open", staging.directory.path()))?;
        rustix::fs::syncfs(&staged).map_err(ImageError::errno("sync", staging.directory.path()))?;
        crash_point::crash_point!("images.staging.synced");
        let _lock = self.lock("lock", FlockOperation::LockExclusive)?;
        for diff_id in &staging.layers {
            let (from, to) = (staging.layer_path(diff_id), self.layer_path(diff_id));
            match fs::rename(&from, &to) {
                Ok(()) => {}
                // Another import was faster with the same content.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(ImageError::io("move into place", &to)(error)),
            }
        }
        crash_point::crash_point!("images.layers.moved");
        for digest in &staging.blobs {
            let (from, to) = (staging.blob_path(digest), self.blob_path(digest));
            fs::rename(&from, &to).map_err(ImageError::io("move into place", &to))?;
        }
        sync(&self.directory.join("layers"))?;
        sync(&self.directory.join("blobs/sha256"))?;
        crash_point::crash_point!("images.blobs.moved");
        for image in images {
            for reference in &image.planned.references {
                let digest = &image.manifest_digest;
                self.remember(&Record::new(&reference.with_digest(digest), digest))?;
                crash_point::crash_point!("images.digest.named");
                self.remember(&Record::new(reference, digest))?;
            }
        }
        Ok(())
    }
}

impl Staging {
    fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.directory.path().join("layers").join(diff_id.hex())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory.path().join("blobs").join(digest.hex())
    }

    fn put_blob(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), ImageError> {
        let path = self.blob_path(digest);
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(ImageError::io("write", &path))?;
        self.blobs.insert(digest.clone());
        Ok(())
    }
}

/// The manifest for an archive that has none. Equal archives give equal manifests.
fn make_manifest(
    planned: &PlannedImage,
    layers: Vec<Descriptor>,
) -> Result<(Digest, Vec<u8>), ImageError> {
    let config = Descriptor {
        media_type: spec::OCI_CONFIG.to_owned(),
        digest: planned.config_digest.clone(),
        size: u64::try_from(planned.config.len()).unwrap_or(u64::MAX),
        platform: None,
        annotations: None,
    };
    let media_type = Some(spec::OCI_MANIFEST.to_owned());
    let manifest = Manifest { schema_version: 2, media_type, config, layers };
    let bytes = serde_json::to_vec(&manifest).map_err(|error| {
        ImageError::refused("manifest.json", Refusal::Json { reason: error.to_string() })
    })?;
    Ok((Digest::of(&bytes), bytes))
}

fn imported(image: &Staged) -> impl Iterator<Item = ImportedImage> {
    let Staged { planned, manifest_digest, layers_unpacked, size_bytes } = image;
    planned.references.iter().map(|reference| ImportedImage {
        reference: reference.to_string(),
        manifest_digest: manifest_digest.clone(),
        layers_unpacked: *layers_unpacked,
        layers_reused: planned.layers.len().saturating_sub(*layers_unpacked),
        size_bytes: *size_bytes,
    })
}
