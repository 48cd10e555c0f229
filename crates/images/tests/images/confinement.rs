//! What the helper process may do while it reads a layer.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use images::Limits;
use serde_json::json;

use crate::archive::{Tar, helper};

fn status<'a>(text: &'a str, field: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim_start_matches(':').trim()
}

#[test]
fn the_helper_sees_its_directory_only_and_keeps_four_capabilities() {
    let directory = tempfile::tempdir().unwrap();
    let specification = json!({"compression": "none", "limits": Limits::default()}).to_string();
    let mut child = Command::new(helper().program)
        .arg(specification)
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // More than a pipe holds: once it is written, the helper has begun to read, and so is confined.
    let mut input = child.stdin.take().unwrap();
    let start = Tar::default()
        .file("first", b"1")
        .raw(Tar::header(b"next", tar::EntryType::Regular, 1 << 22), b"")
        .0;
    input.write_all(&start).unwrap();
    input.write_all(&vec![7; 3 << 20]).unwrap();
    let process = format!("/proc/{}", child.id());
    let process = Path::new(&process);
    let text = std::fs::read_to_string(process.join("status")).unwrap();
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID.
    for (field, value) in [
        ("CapEff", "000000000000001b"),
        ("CapPrm", "000000000000001b"),
        ("CapBnd", "000000000000001b"),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
    ] {
        assert_eq!(status(&text, field), value, "{field}");
    }
    let mut names: Vec<_> = std::fs::read_dir(process.join("root"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["first", "next"], "its root is the directory");
    let mounts = std::fs::read_to_string(process.join("mounts")).unwrap();
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    assert!(mounts.contains("nosuid,nodev,noexec"), "{mounts}");
    let own = Path::new("/proc/self/ns");
    for namespace in ["mnt", "net", "ipc", "uts"] {
        let theirs = std::fs::read_link(process.join("ns").join(namespace)).unwrap();
        assert_ne!(theirs, std::fs::read_link(own.join(namespace)).unwrap(), "{namespace}");
    }
    drop(input);
    child.wait().unwrap();
}
