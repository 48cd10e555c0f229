//! An image with this machine's Python and the tests' boto3: a container with an unmodified SDK.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tar::EntryType;

use crate::archive::{Archive, with_busybox};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image_files.py");

/// The image `boto3:1` as a file: made once for all tests with these `clients` and kept beside them. Its command is
/// `python3`; it has a shell and the usual small tools too.
///
/// # Panics
/// When it cannot be made.
pub fn boto3_image(clients: &Path) -> PathBuf {
    let target = clients.parent().expect("a directory above the clients");
    let mut sum = crc32fast::Hasher::new();
    for file in [Path::new(SCRIPT), &clients.join("installed.txt")] {
        sum.update(&fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    let path = target.join(format!("boto3-{:08x}.tar", sum.finalize()));
    let lock = File::create(target.join("boto3.lock")).expect("make a lock file");
    lock.lock().expect("lock the image");
    if fs::metadata(&path).is_err() {
        let new = path.with_extension("new");
        write(clients, &new);
        fs::rename(&new, &path).expect("keep the image");
    }
    path
}

fn write(clients: &Path, path: &Path) {
    let output = Command::new(clients.join("bin/python")).arg(SCRIPT).output();
    let output = output.expect("start python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).expect("a list of files");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut layer = with_busybox(Archive::default());
    let mut directories: BTreeSet<PathBuf> = ["bin", "etc", "tmp"].map(PathBuf::from).into();
    for pair in listed["files"].as_array().expect("files") {
        let (source, place) = (PathBuf::from(text(&pair[0])), text(&pair[1]));
        let place = Path::new(place.trim_start_matches('/'));
        let parents: Vec<_> = place.ancestors().skip(1).filter(|part| *part != "").collect();
        for parent in parents.into_iter().rev() {
            if directories.insert(parent.to_owned()) {
                layer = layer.directory(&parent.display().to_string(), 0o755);
            }
        }
        let mode = fs::metadata(&source).map_or(0o644, |data| data.permissions().mode() & 0o755);
        let data =
            fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        layer = layer.file(&place.display().to_string(), mode | 0o444, &data);
    }
    let python = text(&listed["python"]);
    layer = layer.link(EntryType::Symlink, "bin/python3", &python);
    let environment = listed["environment"].as_array().expect("variables");
    let environment: Vec<String> = environment.iter().map(text).collect();
    layer.save_as_image_with("boto3:1", &environment, &["python3"], path);
}
