//! Image archives, imported into a store in the confined helper process: `docker save` archives, OCI
//! layouts, and layers, whose digests are made right so that what is in them is looked at.
//!
//! Whatever comes, the import ends with an image or a refusal, and after a refusal nothing is left.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use images::{Digest, ImageError, ImageStore, Limits, UnpackHelper};
use serde_json::json;

use super::{Target, behaviour};
use crate::UNPACK_ARGUMENT;

const BLOCK: usize = 512;
const SUM: std::ops::Range<usize> = 148..156;

/// The first byte: `a` an archive, `l` a layer, `g` the bytes of a layer to be packed by gzip.
pub(super) const TARGET: Target = Target {
    name: "images",
    dictionary: &[
        "manifest.json",
        "index.json",
        "oci-layout",
        "blobs/sha256/",
        "layer.tar",
        "../",
        "/",
        "./",
        "\0\0\0\0\0\0\0\0",
        "ustar\x0000",
        "ustar  \0",
        "0000644\0",
        "77777777777\0",
        "L",
        "K",
        "x",
        "g",
        "1",
        "2",
        "3",
        "5",
        "6",
        "S",
        ".wh.",
        ".wh..wh..opq",
        "path=",
        "size=",
        "GNU.sparse.map=",
        "[{\"Config\":\"",
        "\"RepoTags\":[",
        "\"Layers\":[",
        "sha256:",
        "\"mediaType\":",
        "\"size\":",
        "\u{7f}\u{7f}\u{7f}\u{7f}",
    ],
    repair: Some(|input| {
        if let Some((kind, tar)) = input.split_first_mut()
            && *kind != b'z'
        {
            right_sums(tar);
        }
    }),
    run,
};

struct World {
    store: ImageStore,
    directory: tempfile::TempDir,
}

/// The program `fuzz`, which is the helper too: this one, or the one beside its tests.
fn helper() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    let beside = this.ancestors().nth(2).map(|target| target.join("fuzz"));
    match beside {
        Some(beside) if fs::metadata(&beside).is_ok_and(|data| data.is_file()) => beside,
        Some(_) | None => this,
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let directory = tempfile::tempdir().expect("make a directory");
        let args = vec![OsString::from(UNPACK_ARGUMENT)];
        let store = ImageStore::open(
            &directory.path().join("images"),
            UnpackHelper { program: helper(), args },
        );
        // Small, so that a bomb is refused before it hurts the other tests of this machine.
        let limits = Limits {
            unpacked_bytes: 8 << 20,
            file_bytes: 4 << 20,
            entries: 2_000,
            archive_entries: 500,
            cpu_seconds: 5,
            ..Limits::default()
        };
        World { store: store.expect("open a store").with_limits(limits), directory }
    })
}

fn run(input: &[u8]) -> u64 {
    let Some((kind, bytes)) = input.split_first() else { return 0 };
    let World { store, directory } = world();
    let file = directory.path().join("archive.tar");
    let archive = match kind {
        b'l' => saved(bytes, bytes),
        b'g' => saved(&gzip(bytes), bytes),
        _ => bytes.to_vec(),
    };
    fs::write(&file, archive).expect("write an archive");
    let before = listing(&directory.path().join("images"));
    match store.import(&file, Some("fuzz:1"), &mut |_| {}) {
        Ok(imported) => {
            for image in &imported {
                let found = store.resolve(&image.reference).expect("read the store");
                assert!(found.is_some(), "{} is imported and not there", image.reference);
                assert!(store.remove(&image.reference).expect("remove an image"));
            }
            store.prune(&BTreeSet::new()).expect("prune the store");
            left(&before, directory.path());
            behaviour(&("imported", imported.len()))
        }
        Err(ImageError::Helper { reason }) => panic!("the helper: {reason}"),
        Err(ImageError::Io { .. }) => 1,
        Err(error) => {
            left(&before, directory.path());
            behaviour(&error.to_string())
        }
    }
}

fn left(before: &BTreeSet<PathBuf>, directory: &Path) {
    let after = listing(&directory.join("images"));
    let new: Vec<_> = after.difference(before).collect();
    // What the first import makes for all of them stays.
    let new: Vec<_> = new.into_iter().filter(|path| path.components().count() > 1).collect();
    assert!(new.is_empty(), "left behind: {new:?}");
}

/// Everything below a directory.
fn listing(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("list a directory").map_while(Result::ok) {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(path.clone());
            }
            found.insert(path.strip_prefix(directory).expect("below it").to_owned());
        }
    }
    found
}

/// An archive as `docker save` writes it, with this one layer.
fn saved(packed: &[u8], layer: &[u8]) -> Vec<u8> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(layer).to_string()]},
    });
    let manifest = json!([{"Config": "c", "RepoTags": ["fuzz:1"], "Layers": ["l"]}]);
    let mut archive = Vec::new();
    file(&mut archive, "manifest.json", manifest.to_string().as_bytes());
    file(&mut archive, "c", config.to_string().as_bytes());
    file(&mut archive, "l", packed);
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn file(archive: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut header = [0; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    archive.extend_from_slice(&header);
    archive.extend_from_slice(data);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    let start = archive.len() - data.len().next_multiple_of(BLOCK) - BLOCK;
    right_sums(&mut archive[start..]);
}

/// Writes the right sum into each header, following the sizes that the headers tell.
fn right_sums(tar: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            at += BLOCK;
            continue;
        }
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let size: String = header[124..136].iter().map(|byte| char::from(*byte)).collect();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at += BLOCK + size.min(tar.len()).next_multiple_of(BLOCK);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).expect("write to memory");
    writer.finish().expect("write to memory")
}
