//! How much one import may cost.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Limits on one import. Reaching one refuses the whole import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Manifests, indexes and configurations: bytes of each JSON document.
    pub json_bytes: u64,
    /// Images in one archive.
    pub images: usize,
    /// Layers of one image. Overlayfs takes several hundred; images made by builders have at most 127.
    pub layers: usize,
    /// Members of the archive file itself.
    pub archive_entries: u64,
    /// Uncompressed bytes of all layers of one image together, tar headers included.
    pub unpacked_bytes: u64,
    /// Bytes of one file. Cannot usefully exceed 8 GiB less one byte, the most a tar header can say in octal.
    pub file_bytes: u64,
    /// Entries of one layer, implied parent directories included.
    pub entries: u64,
    /// Bytes of one path or link target.
    pub path_bytes: usize,
    /// Components of one path.
    pub depth: usize,
    /// Uncompressed bytes for each compressed byte, once [`Self::ratio_free_bytes`] are exceeded.
    pub ratio: u64,
    /// Uncompressed bytes of a layer below which the ratio does not matter.
    pub ratio_free_bytes: u64,
    /// Processor seconds for one layer.
    pub cpu_seconds: u64,
    /// Address space of the helper that unpacks a layer, bytes.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 4 * MIB,
            images: 64,
            layers: 127,
            archive_entries: 100_000,
            unpacked_bytes: 64 * GIB,
            file_bytes: 8 * GIB - 1,
            entries: 1_000_000,
            path_bytes: 4095,
            depth: 128,
            ratio: 200,
            ratio_free_bytes: 256 * MIB,
            cpu_seconds: 3600,
            memory_bytes: GIB,
        }
    }
}
