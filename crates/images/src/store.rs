//! The store: what is on disk, and how processes share it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::Limits;
use crate::reference::Reference;
use crate::spec::{ConfigFile, ImageConfig, Manifest};
use crate::unpack::UnpackHelper;

/// Bytes of a reference's file: two names of at most 500 bytes and a digest.
const REFERENCE_BYTES: u64 = 16 * 1024;

/// A store of images in a directory. Several processes may have the same directory open.
#[derive(Debug)]
pub struct ImageStore {
    pub(crate) directory: PathBuf,
    pub(crate) helper: UnpackHelper,
    pub(crate) limits: Limits,
}

/// An image that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The reference as it was given at import, or as asked for when asked by digest.
    pub reference: String,
    /// Pins the image: `name@<this>` resolves to the same image for ever.
    pub manifest_digest: Digest,
    /// How to run it.
    pub config: ImageConfig,
    /// Unpacked layers, lowest first, each once: what overlayfs takes as lower directories (in reverse order).
    /// A layer that occurs twice is listed at its upper place only, which shows the same files.
    pub layers: Vec<PathBuf>,
    /// Bytes of the packed layers, configuration and manifest.
    pub size_bytes: u64,
}

/// A name in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredReference {
    /// `name:tag`, or `name@sha256:…` for an image whose tag has moved on.
    pub reference: String,
    /// The manifest it means.
    pub manifest_digest: Digest,
}

/// What [`ImageStore::prune`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Manifests and configurations.
    pub blobs: usize,
    /// Unpacked layers.
    pub layers: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) reference: String,
    name: String,
    key: String,
    /// Whether the reference is by digest.
    pinned: bool,
    pub(crate) manifest_digest: Digest,
}

impl Record {
    pub(crate) fn new(reference: &Reference, manifest_digest: &Digest) -> Self {
        Self {
            reference: reference.to_string(),
            name: reference.canonical_name(),
            key: reference.key(),
            pinned: reference.digest().is_some(),
            manifest_digest: manifest_digest.clone(),
        }
    }
}

impl ImageStore {
    /// Opens the store in `directory`, making it if needed, and removes what a crashed import left behind.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the directory cannot be made or read.
    pub fn open(directory: &Path, helper: UnpackHelper) -> Result<Self, ImageError> {
        let store = Self { directory: directory.to_owned(), helper, limits: Limits::default() };
        for name in ["", "blobs", "blobs/sha256", "layers", "references", "tmp"] {
            let path = directory.join(name);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(ImageError::io("make", &path))?;
        }
        // An import that is running now owns what is in tmp.
        if let Some(_alone) = store.try_lock("importers")? {
            let path = directory.join("tmp");
            for name in names_in(&path)? {
                remove_tree(&path.join(name))?;
            }
        }
        Ok(store)
    }

    /// The same store with other limits for imports.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Finds an image by `name`, `name:tag` or `name@sha256:…`; `None` when the store has none of that name.
    ///
    /// # Errors
    /// [`ImageError::Reference`] for a malformed reference, [`ImageError::Damaged`] when files of the image are
    /// missing or altered.
    pub fn resolve(&self, reference: &str) -> Result<Option<Image>, ImageError> {
        let parsed = Reference::parse(reference)?;
        let Some(record) = self.record(&parsed.key())? else {
            return Ok(None);
        };
        self.load(record).map(Some)
    }

    /// All names, sorted. Images reachable by a tag are listed by tag only.
    ///
    /// # Errors
    /// [`ImageError::Io`] when the directory cannot be read.
    pub fn list(&self) -> Result<Vec<StoredReference>, ImageError> {
        let records = self.records()?;
        let mut listed: Vec<_> = records
            .iter()
            .filter(|record| {
                !record.pinned || !tagged(&records, &record.name, &record.manifest_digest)
            })
            .map(|record| StoredReference {
                reference: record.reference.clone(),
                manifest_digest: record.manifest_digest.clone(),
            })
            .collect();
        listed.sort();
        Ok(listed)
    }

    /// Forgets a name; `false` when there was none. The last tag of an image takes `name@sha256:…` with it, and a
    /// name by digest takes the tags that mean the same. Files stay until [`Self::prune`].
    ///
    /// # Errors
    /// [`ImageError::Reference`] for a malformed reference, [`ImageError::Io`] when a file cannot be removed.
    pub fn remove(&self, reference: &str) -> Result<bool, ImageError> {
        let parsed = Reference::parse(reference)?;
        let _lock = self.lock("lock", FlockOperation::LockExclusive)?;
        let Some(record) = self.record(&parsed.key())? else {
            return Ok(false);
        };
        self.forget(&record)?;
        let records = self.records()?;
        let same = |other: &&Record| {
            other.name == record.name && other.manifest_digest == record.manifest_digest
        };
        if record.pinned || !tagged(&records, &record.name, &record.manifest_digest) {
            for other in records.iter().filter(same) {
                self.forget(other)?;
            }
        }
        sync(&self.directory.join("references"))?;
        Ok(true)
    }

    /// Removes the files of images that no tag means and that are not `in_use` (manifest digests). The caller must
    /// name every image that a task runs or is about to run: removing a mounted layer breaks the task.
    ///
    /// # Errors
    /// [`ImageError::Busy`] during an import; [`ImageError::Damaged`] when it is unclear what an image needs.
    pub fn prune(&self, in_use: &BTreeSet<Digest>) -> Result<Pruned, ImageError> {
        let _alone = self.try_lock("importers")?.ok_or(ImageError::Busy)?;
        let _lock = self.lock("lock", FlockOperation::LockExclusive)?;
        let records = self.records()?;
        let mut manifests = in_use.clone();
        for record in &records {
            let needed = !record.pinned
                || in_use.contains(&record.manifest_digest)
                || tagged(&records, &record.name, &record.manifest_digest);
            if needed {
                manifests.insert(record.manifest_digest.clone());
            } else {
                self.forget(record)?;
            }
        }
        sync(&self.directory.join("references"))?;
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        for digest in &manifests {
            if self.read_blob(digest)?.is_none() && in_use.contains(digest) {
                continue;
            }
            let (manifest, config) = self.read_image(digest)?;
            blobs.insert(digest.hex().to_owned());
            blobs.insert(manifest.config.digest.hex().to_owned());
            layers.extend(config.rootfs.diff_ids.iter().map(|id| id.hex().to_owned()));
        }
        Ok(Pruned {
            blobs: self.sweep("blobs/sha256", &blobs)?,
            layers: self.sweep("layers", &layers)?,
        })
    }

    fn sweep(&self, area: &str, keep: &BTreeSet<String>) -> Result<usize, ImageError> {
        let path = self.directory.join(area);
        let mut swept = 0usize;
        for name in names_in(&path)? {
            if keep.contains(&name) {
                continue;
            }
            // A half-removed layer must never be under its own name.
            let (from, to) = (path.join(&name), self.directory.join("tmp").join(&name));
            fs::rename(&from, &to).map_err(ImageError::io("move away", &from))?;
            sync(&path)?;
            remove_tree(&to)?;
            swept = swept.saturating_add(1);
        }
        Ok(swept)
    }

    fn load(&self, record: Record) -> Result<Image, ImageError> {
        let (manifest, config) = self.read_image(&record.manifest_digest)?;
        let mut size_bytes = manifest.config.size;
        for layer in &manifest.layers {
            size_bytes = size_bytes.saturating_add(layer.size);
        }
        let (mut layers, mut seen) = (Vec::new(), BTreeSet::new());
        for diff_id in config.rootfs.diff_ids.iter().rev() {
            if seen.insert(diff_id.hex()) {
                let path = self.layer_path(diff_id);
                if !is_directory(&path)? {
                    return Err(ImageError::Damaged {
                        digest: diff_id.clone(),
                        reason: "the layer is missing",
                    });
                }
                layers.push(path);
            }
        }
        layers.reverse();
        Ok(Image {
            reference: record.reference,
            manifest_digest: record.manifest_digest,
            config: config.into_image_config(),
            layers,
            size_bytes,
        })
    }

    fn read_image(&self, digest: &Digest) -> Result<(Manifest, ConfigFile), ImageError> {
        let damaged =
            |digest: &Digest, reason| ImageError::Damaged { digest: digest.clone(), reason };
        let bytes =
            self.read_blob(digest)?.ok_or_else(|| damaged(digest, "the manifest is missing"))?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|_| damaged(digest, "the manifest is not a manifest"))?;
        let id = &manifest.config.digest;
        let bytes =
            self.read_blob(id)?.ok_or_else(|| damaged(id, "the configuration is missing"))?;
        let config =
            serde_json::from_slice(&bytes).map_err(|_| damaged(id, "it is not a configuration"))?;
        Ok((manifest, config))
    }

    fn read_blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(bytes) = read_small(&self.blob_path(digest), self.limits.json_bytes)? else {
            return Ok(None);
        };
        if Digest::of(&bytes) != *digest {
            return Err(ImageError::Damaged {
                digest: digest.clone(),
                reason: "its bytes have changed",
            });
        }
        Ok(Some(bytes))
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.hex())
    }

    pub(crate) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join("layers").join(diff_id.hex())
    }

    fn record_path(&self, key: &str) -> PathBuf {
        self.directory.join("references").join(Digest::of(key.as_bytes()).hex())
    }

    fn record(&self, key: &str) -> Result<Option<Record>, ImageError> {
        read_record(&self.record_path(key))
    }

    fn records(&self) -> Result<Vec<Record>, ImageError> {
        let path = self.directory.join("references");
        let mut records = Vec::new();
        for name in names_in(&path)? {
            // Gone between listing and reading: another process removed it.
            records.extend(read_record(&path.join(name))?);
        }
        Ok(records)
    }

    /// Writes a record atomically. The caller holds the lock.
    pub(crate) fn remember(&self, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(&record.key);
        let text = serde_json::to_vec(record)
            .map_err(|error| ImageError::io("write", &path)(error.into()))?;
        let staged = tempfile::NamedTempFile::new_in(self.directory.join("tmp"))
            .map_err(ImageError::io("write in", &self.directory))?;
        let mut file = staged.as_file();
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(ImageError::io("write", &path))?;
        staged.persist(&path).map_err(|error| ImageError::io("write", &path)(error.error))?;
        sync(&self.directory.join("references"))
    }

    fn forget(&self, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(&record.key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(ImageError::io("remove", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits for a lock; held until the file is dropped.
    pub(crate) fn lock(&self, name: &str, operation: FlockOperation) -> Result<File, ImageError> {
        let (file, path) = self.lock_file(name)?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, operation))
            .map_err(ImageError::errno("lock", &path))?;
        Ok(file)
    }

    fn try_lock(&self, name: &str) -> Result<Option<File>, ImageError> {
        let (file, path) = self.lock_file(name)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(ImageError::errno("lock", &path)(errno)),
        }
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), ImageError> {
        let path = self.directory.join(name);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&path).map_err(ImageError::io("open", &path))?;
        Ok((file, path))
    }
}

fn tagged(records: &[Record], name: &str, digest: &Digest) -> bool {
    records
        .iter()
        .any(|record| !record.pinned && record.name == name && record.manifest_digest == *digest)
}

fn read_record(path: &Path) -> Result<Option<Record>, ImageError> {
    let Some(bytes) = read_small(path, REFERENCE_BYTES)? else {
        return Ok(None);
    };
    let record = serde_json::from_slice(&bytes)
        .map_err(|error| ImageError::io("parse", path)(error.into()))?;
    Ok(Some(record))
}

fn read_small(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ImageError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ImageError::io("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(ImageError::io("read", path))?;
    Ok(Some(bytes))
}

pub(crate) fn is_directory(path: &Path) -> Result<bool, ImageError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ImageError::io("look at", path)(error)),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync(directory: &Path) -> Result<(), ImageError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(ImageError::io("sync", directory))
}

fn names_in(directory: &Path) -> Result<Vec<String>, ImageError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(ImageError::io("list", directory))? {
        let entry = entry.map_err(ImageError::io("list", directory))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn remove_tree(path: &Path) -> Result<(), ImageError> {
    let removed =
        if is_directory(path)? { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(ImageError::io("remove", path))
}
