//! The on-disk hand-over of container output from the shim to the agent.
//!
//! A spool is a directory of append-only segments, `0000000000000000.spool` and up. One
//! [`SpoolWriter`] (the shim) appends frames; one [`SpoolReader`] (the agent) reads them, from
//! any [`Position`] it kept, and deletes the segments it is done with. Neither talks to the
//! other: a shim writes on without an agent, an agent reads on without a shim.
//!
//! A frame holds whole lines of one stream that arrived together, or one piece of a line longer
//! than [`LINE_LIMIT_BYTES`]:
//!
//! | bytes | meaning |
//! |---|---|
//! | 2 | `0x5053`, little-endian like all numbers |
//! | 1 | stream: 1 standard output, 2 standard error, 0 end of all output |
//! | 1 | flags: bit 0: the frame is a piece of a line that goes on in the stream's next frame |
//! | 4 | length of the payload |
//! | 8 | milliseconds since the Unix epoch |
//! | … | payload: lines, each with its line feed but for the last of a stream |

mod frame;
mod reader;
mod writer;

pub use frame::{LINE_LIMIT_BYTES, Stream};
pub use reader::{Batch, Position, Record, Records, SpoolReader};
pub use writer::{Limits, SpoolWriter};

use std::path::PathBuf;

/// Why a spool could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system refused.
    #[error("cannot {action} output spool file `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

pub(crate) fn segment_name(segment: u64) -> String {
    format!("{segment:016x}.spool")
}

pub(crate) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool")?;
    if digits.len() == 16 { u64::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests;
