//! What can go wrong with an image.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The archive is malformed, hostile, too large or not what it claims to be. Nothing of it was kept.
    #[error("image refused: {location}: {refusal}")]
    Refused {
        /// Which member of the archive and, inside a layer, which entry; already quoted.
        location: String,
        /// Why.
        refusal: Refusal,
    },
    /// A text is not an image reference.
    #[error(
        "`{text}` is not an image reference: {reason}; expected `name`, `name:tag` or `name@sha256:…`"
    )]
    Reference {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The caller's name does not fit what is in the archive.
    #[error("cannot name the image in `{}`: {reason}", file.display())]
    Name {
        /// The archive.
        file: PathBuf,
        /// What to do.
        reason: &'static str,
    },
    /// The helper process did not do its work; this is not the archive's fault.
    #[error("the unpack helper failed: {reason}")]
    Helper {
        /// What it said, or how it ended.
        reason: String,
    },
    /// What is in the store is not what was put there.
    #[error(
        "the image store is damaged at `{digest}`: {reason}; remove the image and import it again"
    )]
    Damaged {
        /// The manifest, configuration or layer concerned.
        digest: Digest,
        /// What is wrong.
        reason: &'static str,
    },
    /// An import is running, so that nothing can be pruned now.
    #[error("an import is running; try again when it has ended")]
    Busy,
}

/// Why an archive was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message says what it means")]
pub enum Refusal {
    #[error("the path contains `..`")]
    ParentPath,
    #[error("the path is absolute")]
    AbsolutePath,
    #[error("the path is empty or contains a forbidden byte or name")]
    BadName,
    #[error("the path is longer than {limit} bytes, or a component is longer than 255")]
    PathTooLong { limit: usize },
    #[error("the path has more than {limit} components")]
    TooDeep { limit: usize },
    #[error("the path leads out of the image through a symbolic link")]
    ThroughSymlink,
    #[error("a component of the path is not a directory")]
    NotADirectory,
    #[error("it would replace a directory by something else")]
    ReplacesDirectory,
    #[error("the hard link's target `{target}` is outside the image: {why}")]
    LinkTarget { target: String, why: String },
    #[error("the hard link's target `{target}` is not a file of this layer")]
    LinkTargetMissing { target: String },
    #[error("it is a device node, which no image needs")]
    DeviceNode,
    #[error("it is a sparse file, which could unpack to any size")]
    Sparse,
    #[error("entries of type `{kind}` are not supported")]
    EntryType { kind: String },
    #[error("the file has more than {limit} bytes")]
    FileTooLarge { limit: u64 },
    #[error("there are more than {limit} entries")]
    TooManyEntries { limit: u64 },
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("it unpacks to more than {limit} times its compressed size")]
    Ratio { limit: u64 },
    #[error("directory names take more than {limit} bytes")]
    TooManyNames { limit: usize },
    #[error("the data ends too early")]
    Truncated,
    #[error("malformed: {reason}")]
    Malformed { reason: String },
    #[error("the digest is `{found}` but `{expected}` was declared")]
    Digest { expected: Digest, found: Digest },
    #[error("the size is {found} bytes but {expected} were declared")]
    Size { expected: u64, found: u64 },
    #[error("it is missing from the archive")]
    Missing,
    #[error("it occurs more than once")]
    Duplicate,
    #[error("the JSON document has more than {limit} bytes")]
    JsonTooLarge { limit: u64 },
    #[error("not the JSON expected here: {reason}")]
    Json { reason: String },
    #[error("media type `{media_type}` is not supported")]
    MediaType { media_type: String },
    #[error("it is for {found}, this machine runs {wanted}")]
    Platform { found: String, wanted: String },
    #[error("there are {found} layers, allowed are 1 to {limit}")]
    LayerCount { found: usize, limit: usize },
    #[error("there are {layers} layers but {diff_ids} diff ids")]
    DiffIdCount { layers: usize, diff_ids: usize },
    #[error("there are more than {limit} images")]
    TooManyImages { limit: usize },
    #[error("a compressed archive file is not read: decompress it first")]
    CompressedArchive,
}

impl ImageError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn errno(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.to_owned();
        move |errno| Self::Io { action, path, source: errno.into() }
    }

    pub(crate) fn refused(member: &str, refusal: Refusal) -> Self {
        Self::Refused { location: format!("`{}`", shown(member.as_bytes())), refusal }
    }
}

/// A name from an archive as it may be printed: escaped, and cut at 200 characters.
pub(crate) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut shown: String = text.chars().take(200).flat_map(char::escape_debug).collect();
    if text.chars().nth(200).is_some() {
        shown.push('…');
    }
    shown
}
