//! Unpacking a layer in a confined helper process.
//!
//! The parent feeds the packed layer to the helper's standard input while it computes the digest of what it feeds.
//! The helper shuts itself into the target directory, decompresses, writes the files and answers with one line of
//! JSON. The parent compares digests and sets the one thing the helper may not: overlayfs's opaque attribute.

mod confine;
mod entries;
mod helper;

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags, ResolveFlags, XattrFlags};
use serde::{Deserialize, Serialize};

pub use helper::child_main;

use crate::digest::{Digest, Sha256};
use crate::error::{ImageError, Refusal, shown};
use crate::limits::Limits;
use crate::source::Blob;
use crate::spec::Compression;

/// Bytes of the helper's answer; what is long in it is the list of opaque directories.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// How to start the helper: a program that ends up in [`child_main`] with its last argument.
///
/// For a program with a hidden subcommand `unpack-layer`, that is `/proc/self/exe` and `["unpack-layer"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackHelper {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the specification, which is appended.
    pub args: Vec<OsString>,
}

/// What the helper is told, as its last argument.
#[derive(Debug, Serialize, Deserialize)]
struct Specification {
    compression: Compression,
    limits: Limits,
}

/// What the helper answers, as one line on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Answer {
    Done {
        diff_id: Digest,
        unpacked_bytes: u64,
        entries: u64,
        /// Directories that hide what is below them, hexadecimal because names need not be text.
        opaque: Vec<String>,
    },
    Refused {
        entry: String,
        refusal: Refusal,
    },
    Failed {
        reason: String,
    },
}

/// A layer that was unpacked.
pub(crate) struct Unpacked {
    /// Of the bytes as packed.
    pub(crate) digest: Digest,
    pub(crate) unpacked_bytes: u64,
    pub(crate) entries: u64,
}

/// Everything about the layer being unpacked.
pub(crate) struct Job<'a> {
    /// Name in the archive, for messages.
    pub(crate) member: &'a str,
    pub(crate) digest: Option<&'a Digest>,
    pub(crate) diff_id: &'a Digest,
    pub(crate) compression: Compression,
    /// An empty directory of the caller's staging area.
    pub(crate) directory: &'a Path,
    pub(crate) limits: &'a Limits,
}

/// Ends the helper whatever happens to the parent's side.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for, which is the aim.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Unpacks `blob` into `job.directory` and checks all digests.
pub(crate) fn unpack_layer(
    helper: &UnpackHelper,
    job: &Job<'_>,
    blob: &mut Blob,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<Unpacked, ImageError> {
    let mut running = spawn(helper, job)?;
    let digest = feed(&mut running, job, blob, on_bytes)?;
    let answer = read_answer(&mut running);
    // A damaged blob makes the helper fail in some way or other: the digest is the better message.
    if let Some(expected) = job.digest.filter(|expected| **expected != digest) {
        let refusal = Refusal::Digest { expected: expected.clone(), found: digest };
        return Err(ImageError::refused(job.member, refusal));
    }
    match answer? {
        Answer::Done { diff_id, unpacked_bytes, entries, opaque } => {
            if diff_id != *job.diff_id {
                let refusal = Refusal::Digest { expected: job.diff_id.clone(), found: diff_id };
                let location = format!("`{}` uncompressed", shown(job.member.as_bytes()));
                return Err(ImageError::Refused { location, refusal });
            }
            mark_opaque(job.directory, &opaque)?;
            Ok(Unpacked { digest, unpacked_bytes, entries })
        }
        Answer::Refused { entry, refusal } => {
            let member = shown(job.member.as_bytes());
            let location = if entry.is_empty() {
                format!("`{member}`")
            } else {
                format!("`{member}` entry `{}`", shown(entry.as_bytes()))
            };
            Err(ImageError::Refused { location, refusal })
        }
        Answer::Failed { reason } => Err(ImageError::Helper { reason }),
    }
}

fn spawn(helper: &UnpackHelper, job: &Job<'_>) -> Result<Running, ImageError> {
    let specification = Specification { compression: job.compression, limits: job.limits.clone() };
    let specification = serde_json::to_string(&specification)
        .map_err(|error| ImageError::Helper { reason: error.to_string() })?;
    let child = Command::new(&helper.program)
        .args(&helper.args)
        .arg(specification)
        .current_dir(job.directory)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(ImageError::io("start", &helper.program))?;
    Ok(Running(child))
}

/// Passes the blob on, as far as the helper takes it, and computes its digest.
fn feed(
    running: &mut Running,
    job: &Job<'_>,
    blob: &mut Blob,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<Digest, ImageError> {
    let mut input = running.0.stdin.take();
    let (mut hasher, mut total) = (Sha256::new(), 0u64);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count =
            blob.read(&mut buffer).map_err(ImageError::io("read", Path::new(job.member)))?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hasher.update(bytes);
        if let Some(pipe) = &mut input
            && let Err(error) = pipe.write_all(bytes)
        {
            if error.kind() != ErrorKind::BrokenPipe {
                return Err(ImageError::Helper { reason: format!("cannot write to it: {error}") });
            }
            input = None;
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        total = total.saturating_add(count);
        on_bytes(count);
    }
    if total != blob.size {
        return Err(ImageError::refused(job.member, Refusal::Truncated));
    }
    Ok(hasher.finish())
}

fn read_answer(running: &mut Running) -> Result<Answer, ImageError> {
    let fail = |reason: String| ImageError::Helper { reason };
    let mut text = String::new();
    if let Some(output) = running.0.stdout.take() {
        let read = output.take(ANSWER_BYTES).read_to_string(&mut text);
        read.map_err(|error| fail(format!("cannot read its answer: {error}")))?;
    }
    let status = running.0.wait().map_err(|error| fail(format!("cannot wait for it: {error}")))?;
    serde_json::from_str(&text).map_err(|_| {
        fail(format!("it ended with {status} and without an answer; it was stopped by a limit, or is not the helper"))
    })
}

fn mark_opaque(directory: &Path, opaque: &[String]) -> Result<(), ImageError> {
    let fail = ImageError::errno;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root =
        rustix::fs::open(directory, flags, Mode::empty()).map_err(fail("open", directory))?;
    for name in opaque {
        let path = hex::decode(name)
            .map_err(|_| ImageError::Helper { reason: "its answer is malformed".into() })?;
        let path = if path.is_empty() { b".".as_slice() } else { &path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let opened = rustix::fs::openat2(root.as_fd(), path, flags, Mode::empty(), resolve);
        let opened = opened.map_err(fail("open a directory in", directory))?;
        rustix::fs::fsetxattr(opened, "trusted.overlay.opaque", b"y", XattrFlags::empty())
            .map_err(fail("make opaque a directory in", directory))?;
    }
    Ok(())
}
