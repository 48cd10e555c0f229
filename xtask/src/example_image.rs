//! Makes the image of the example service: an OCI layout in a tar file, with one layer that holds one static program.
//!
//! Equal input gives equal bytes: no time, no owner and no order comes from the machine that builds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use images::Digest;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::build::static_program;
use crate::workspace::Workspace;

/// The user that the service runs as, which no distribution gives to anybody.
const USER: u32 = 65532;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What `cargo xtask example-image` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The tar file to write.
    #[arg(long, default_value = "quotes.tar")]
    out: PathBuf,
    /// The image's name and tag.
    #[arg(long, default_value = "quotes:1")]
    reference: String,
    /// A static program to use instead of building `examples/quotes`.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Builds the program if none is given, then the image.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => static_program(workspace, "quotes")?,
    };
    build(&binary, &args.out, &args.reference)
}

/// Writes an image named `reference` that runs `binary` as `/quotes serve` to the tar file `out`.
pub(crate) fn build(binary: &Path, out: &Path, reference: &str) -> Result<()> {
    let program = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    ensure!(
        !needs_loader(&program)?,
        "{} is not static: the image has no libraries",
        binary.display()
    );
    let mut layer = Builder::new(Vec::new());
    append(&mut layer, "quotes", &program, 0o755)?;
    let layer = layer.into_inner()?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut files = BTreeMap::new();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": ["/quotes"],
            "Cmd": ["serve"],
            "ExposedPorts": {"8080/tcp": {}},
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]},
    });
    let config = blob(
        &mut files,
        "application/vnd.oci.image.config.v1+json",
        config.to_string().into_bytes(),
    );
    let layer = blob(&mut files, "application/vnd.oci.image.layer.v1.tar", layer);
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    let mut manifest = blob(&mut files, MANIFEST, manifest.to_string().into_bytes());
    if let Some(fields) = manifest.as_object_mut() {
        fields.insert(
            "annotations".to_owned(),
            json!({"org.opencontainers.image.ref.name": reference}),
        );
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    });
    files.insert("index.json".to_owned(), index.to_string().into_bytes());
    files.insert(
        "oci-layout".to_owned(),
        json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes(),
    );
    let mut archive = Builder::new(Vec::new());
    for (name, data) in &files {
        append(&mut archive, name, data, 0o644)?;
    }
    fs::write(out, archive.into_inner()?).with_context(|| format!("cannot write {}", out.display()))
}

/// Adds a blob and returns its descriptor.
fn blob(files: &mut BTreeMap<String, Vec<u8>>, media_type: &str, data: Vec<u8>) -> Value {
    let digest = Digest::of(&data);
    let descriptor = json!({"mediaType": media_type, "digest": digest, "size": data.len()});
    files.insert(format!("blobs/sha256/{}", digest.hex()), data);
    descriptor
}

fn append(archive: &mut Builder<Vec<u8>>, name: &str, data: &[u8], mode: u32) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(u64::try_from(data.len())?);
    archive.append_data(&mut header, name, data).with_context(|| format!("cannot add {name}"))
}

/// Whether a 64-bit little-endian ELF program names a dynamic loader, that is, has a `PT_INTERP` header.
fn needs_loader(program: &[u8]) -> Result<bool> {
    const PT_INTERP: u64 = 3;
    let number = |offset: usize, length: usize| -> Result<u64> {
        let end = offset.checked_add(length).context("the program's headers are broken")?;
        let bytes = program.get(offset..end).context("the program ends in its headers")?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if !program.starts_with(b"\x7fELF\x02\x01") {
        bail!("not a 64-bit little-endian ELF program");
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let offset = table
            .checked_add(index.saturating_mul(size))
            .context("the program's headers are broken")?;
        if number(usize::try_from(offset)?, 4)? == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that counts as a program: a header, and one program header of this type.
    fn program(kind: u8) -> Vec<u8> {
        let mut program = vec![0; 120];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (program[32], program[54], program[56], program[64]) = (64, 56, 1, kind);
        program
    }

    #[test]
    fn equal_programs_give_equal_images() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("program"), program(1)).unwrap();
        build(&path("program"), &path("first"), "quotes:1").unwrap();
        build(&path("program"), &path("second"), "quotes:1").unwrap();
        build(&path("program"), &path("third"), "quotes:2").unwrap();
        let read = |name: &str| fs::read(path(name)).unwrap();
        assert_eq!(read("first"), read("second"));
        assert_ne!(read("first"), read("third"));
        let text = String::from_utf8_lossy(&read("third")).into_owned();
        assert!(text.contains(r#""org.opencontainers.image.ref.name":"quotes:2""#), "{text}");
        assert!(text.contains(r#""User":"65532:65532""#), "{text}");
    }

    #[test]
    fn a_program_that_needs_libraries_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        for (program, reason) in
            [(program(3), "is not static"), (b"#!/bin/sh".to_vec(), "not a 64-bit")]
        {
            fs::write(&path, program).unwrap();
            let error = build(&path, &directory.path().join("out"), "quotes:1").unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
