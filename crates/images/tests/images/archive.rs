//! Builds archives, and stores to import them into.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use images::{Digest, ImageError, ImageStore, ImportedImage, UnpackHelper};
use serde_json::{Value, json};
use tar::{EntryType, Header};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A tar stream, written without any of the checks that a tar library makes.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn header(name: &[u8], kind: EntryType, size: usize) -> Header {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        header
    }

    pub(crate) fn raw(mut self, mut header: Header, data: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, data: &[u8]) -> Self {
        self.raw(Self::header(name.as_bytes(), EntryType::Regular, data.len()), data)
    }

    pub(crate) fn mode(self, name: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = Self::header(name.as_bytes(), EntryType::Regular, data.len());
        header.set_mode(mode);
        self.raw(header, data)
    }

    pub(crate) fn kind(self, name: &str, kind: EntryType) -> Self {
        self.raw(Self::header(name.as_bytes(), kind, 0), b"")
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.kind(name, EntryType::Directory)
    }

    pub(crate) fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = Self::header(name.as_bytes(), kind, 0);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.raw(header, b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.link(EntryType::Symlink, name, target)
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.link(EntryType::Link, name, target)
    }

    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut data = String::new();
        for (key, value) in records {
            let length = key.len() + value.len() + 3;
            let digits = (length + length.to_string().len()).to_string().len();
            data += &format!("{} {key}={value}\n", length + digits);
        }
        self.raw(Self::header(b"pax", EntryType::XHeader, data.len()), data.as_bytes())
    }

    pub(crate) fn long_name(self, name: &[u8]) -> Self {
        self.raw(Self::header(b"././@LongLink", EntryType::GNULongName, name.len()), name)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The members of an archive by name, so that a test can spoil one.
#[derive(Default, Clone)]
pub(crate) struct Archive(pub(crate) BTreeMap<String, Vec<u8>>);

/// A layer as packed, with its media type's suffix and diff id.
pub(crate) struct Layer(pub(crate) Vec<u8>, pub(crate) &'static str, pub(crate) Digest);

impl Layer {
    pub(crate) fn plain(tar: Vec<u8>) -> Self {
        let diff_id = Digest::of(&tar);
        Self(tar, "", diff_id)
    }

    pub(crate) fn gzip(tar: &[u8]) -> Self {
        Self(gzip(tar), "+gzip", Digest::of(tar))
    }

    pub(crate) fn zstd(tar: &[u8]) -> Self {
        Self(zstd::encode_all(tar, 3).unwrap(), "+zstd", Digest::of(tar))
    }
}

pub(crate) fn config(diff_ids: &[&Digest]) -> Value {
    json!({"os": "linux", "architecture": arch(), "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "config": {"Entrypoint": ["/quotes"], "Cmd": ["serve"], "Env": ["A=b"], "User": "65532:65532", "WorkingDir": "/w",
            "StopSignal": "SIGINT", "ExposedPorts": {"8080/tcp": {}}, "Labels": {"k": "v"}, "Healthcheck": {"Test": ["NONE"]}}})
}

impl Archive {
    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.0.insert(format!("blobs/sha256/{}", digest.hex()), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    pub(crate) fn json(&mut self, media_type: &str, value: &Value) -> Value {
        self.blob(media_type, value.to_string().as_bytes())
    }

    pub(crate) fn manifest(&mut self, config: &Value, layers: &[Layer]) -> Value {
        let config = self.json(CONFIG, config);
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| self.blob(&format!("{LAYER}{}", layer.1), &layer.0))
            .collect();
        self.json(
            MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}),
        )
    }

    pub(crate) fn index(mut self, mut manifests: Value, tag: Option<&str>) -> Self {
        if let Some(tag) = tag {
            manifests[0]["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.0.insert("index.json".into(), index.to_string().into_bytes());
        self.0.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        self
    }

    /// An OCI layout of one image.
    pub(crate) fn layout(layers: &[Layer], tag: Option<&str>) -> Self {
        let mut archive = Self::default();
        let config = config(&layers.iter().map(|layer| &layer.2).collect::<Vec<_>>());
        let manifest = archive.manifest(&config, layers);
        archive.index(json!([manifest]), tag)
    }

    /// The older form of `docker save`.
    pub(crate) fn saved(layers: &[Layer], tags: &Value) -> Self {
        let mut archive = Self::default();
        let config = config(&layers.iter().map(|layer| &layer.2).collect::<Vec<_>>()).to_string();
        let config_name = format!("{}.json", Digest::of(config.as_bytes()).hex());
        let mut names = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            names.push(format!("{number}/layer.tar"));
            archive.0.insert(format!("{number}/layer.tar"), layer.0.clone());
        }
        let manifest = json!([{"Config": config_name, "RepoTags": tags, "Layers": names}]);
        archive.0.insert("manifest.json".into(), manifest.to_string().into_bytes());
        archive.0.insert(config_name, config.into_bytes());
        archive
    }

    pub(crate) fn tar(&self) -> Vec<u8> {
        self.0.iter().fold(Tar::default(), |tar, (name, data)| tar.file(name, data)).end()
    }
}

/// A store in a directory of its own, beside a file that nothing may touch.
pub(crate) struct World {
    pub(crate) root: tempfile::TempDir,
    pub(crate) store: ImageStore,
}

pub(crate) fn helper() -> UnpackHelper {
    UnpackHelper { program: PathBuf::from(env!("CARGO_BIN_EXE_images-unpack")), args: Vec::new() }
}

impl World {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("canary"), "untouched").unwrap();
        let store = ImageStore::open(&root.path().join("images"), helper()).unwrap();
        Self { root, store }
    }

    pub(crate) fn import(
        &self,
        archive: &[u8],
        name: Option<&str>,
    ) -> Result<Vec<ImportedImage>, ImageError> {
        let file = self.root.path().join("archive.tar");
        std::fs::write(&file, archive).unwrap();
        let imported = self.store.import(&file, name, &mut |_| {});
        std::fs::remove_file(&file).unwrap();
        imported
    }

    /// Everything below the root, one line for each file.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut lines = list(self.root.path());
        lines.retain(|line| !line.contains("/lock ") && !line.contains("/importers "));
        lines
    }
}

pub(crate) fn list(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => "dir",
                kind if kind.is_symlink() => "symlink",
                kind if kind.is_char_device() => "whiteout",
                kind if kind.is_fifo() => "fifo",
                _ => "file",
            };
            let name = path.strip_prefix(root).unwrap().display();
            let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
            lines.push(format!("/{name} {kind} {mode:o} {uid}:{gid}"));
            if metadata.is_dir() {
                pending.push(path);
            }
        }
    }
    lines.sort();
    lines
}
