//! The peer for starting a container: `runc`, where it is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::world::BUSYBOX;
use crate::{clock, report};

/// Milliseconds that `runc run` takes from its start to its end, for a program that ends at once;
/// `None` without runc.
pub(crate) fn run(directory: &Path, count: usize) -> Result<Option<Vec<f64>>> {
    if Command::new("runc").arg("--version").output().is_err() {
        report::say("runc is not installed: no such peer");
        return Ok(None);
    }
    let bundle = tempfile::Builder::new().prefix("portcullis-bench-").tempdir_in(directory)?;
    let bin = bundle.path().join("rootfs/bin");
    fs::create_dir_all(&bin)?;
    fs::copy(BUSYBOX, bin.join("busybox"))?;
    symlink("busybox", bin.join("true"))?;
    let spec = Command::new("runc").arg("spec").current_dir(bundle.path()).status()?;
    ensure!(spec.success(), "runc spec: {spec}");
    let path = bundle.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let process = config.get_mut("process").context("no process in config.json")?;
    let process = process.as_object_mut().context("process in config.json")?;
    process.insert("terminal".to_owned(), json!(false));
    process.insert("args".to_owned(), json!(["true"]));
    fs::write(&path, config.to_string())?;
    let mut times = Vec::new();
    for number in 0..count {
        let name = format!("portcullis-bench-{}-{number}", std::process::id());
        let begin = clock::now();
        let status = Command::new("runc")
            .args(["run", &name])
            .current_dir(bundle.path())
            .stdin(Stdio::null())
            .status()?;
        times.push(clock::ms_since(begin));
        ensure!(status.success(), "runc run: {status}");
    }
    Ok(Some(times))
}
