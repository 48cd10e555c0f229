//! The helper's side: decompress, hash, write, answer.

use std::cell::RefCell;
use std::io::{self, BufReader, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;

use super::entries::Unpacker;
use super::{Answer, Specification, confine};
use crate::digest::Sha256;
use crate::error::Refusal;
use crate::limits::Limits;
use crate::spec::Compression;
use crate::tar_walk::{WalkError, malformed, walk};

/// The largest window that zstd's own command-line tool accepts without being asked for more: 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The helper process's whole life: confines itself to the working directory, unpacks the layer on standard input
/// into it and prints one line of JSON. `specification` is the last command-line argument, as the store appended it.
///
/// Call this before any thread is started: the process gives up its namespaces and privileges.
pub fn child_main(specification: &str) -> ExitCode {
    let answer = match run(specification) {
        Ok(answer) => answer,
        Err(WalkError::Refused(entry, refusal)) => Answer::Refused { entry, refusal },
        Err(WalkError::Failed(reason)) => Answer::Failed { reason },
    };
    let mut output = io::stdout().lock();
    let written = serde_json::to_writer(&mut output, &answer).map_err(io::Error::from);
    match written.and_then(|()| output.write_all(b"\n")).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(specification: &str) -> Result<Answer, WalkError> {
    let failed = |error: &dyn std::fmt::Display| WalkError::Failed(error.to_string());
    let Specification { compression, limits } =
        serde_json::from_str(specification).map_err(|error| failed(&error))?;
    confine::confine(&limits).map_err(WalkError::Failed)?;
    let meter = Rc::new(RefCell::new(Meter::new(limits.clone())));
    let input = Packed { inner: io::stdin().lock(), meter: Rc::clone(&meter) };
    let input = BufReader::with_capacity(128 * 1024, input);
    let decoder: Box<dyn Read> = match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input).map_err(|error| failed(&error))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| failed(&error))?;
            Box::new(decoder)
        }
    };
    let mut unpacker = Unpacker::new(&limits)?;
    let mut archive = tar::Archive::new(Plain { inner: decoder, meter: Rc::clone(&meter) });
    let entries = archive.entries().map_err(|error| malformed("", &error))?;
    let walked =
        walk(entries, &limits, limits.entries, |member, data| unpacker.apply(member, data));
    // A limit of the stream shows up as a read error of whichever entry was being read.
    let tripped = meter.borrow_mut().tripped.take();
    match (walked, tripped) {
        (Err(WalkError::Refused(entry, _)), Some(refusal)) => {
            return Err(WalkError::Refused(entry, refusal));
        }
        (walked, _) => walked?,
    }
    let mut rest = archive.into_inner();
    let drained = io::copy(&mut rest, &mut io::sink());
    if let Some(refusal) = meter.borrow_mut().tripped.take() {
        return Err(WalkError::Refused(String::new(), refusal));
    }
    drained.map_err(|error| malformed("", &error))?;
    drop(rest);
    let (entries, opaque) = unpacker.finish()?;
    let meter = meter.replace(Meter::new(limits));
    Ok(Answer::Done {
        diff_id: meter.hasher.finish(),
        unpacked_bytes: meter.plain,
        entries,
        opaque,
    })
}

/// Counts on both sides of the decompressor.
struct Meter {
    limits: Limits,
    packed: u64,
    plain: u64,
    hasher: Sha256,
    tripped: Option<Refusal>,
}

impl Meter {
    fn new(limits: Limits) -> Self {
        Self { limits, packed: 0, plain: 0, hasher: Sha256::new(), tripped: None }
    }

    fn take_plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.plain = self.plain.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let Limits { unpacked_bytes, ratio, ratio_free_bytes, .. } = self.limits;
        let refusal = if self.plain > unpacked_bytes {
            Refusal::TooLarge { limit: unpacked_bytes }
        } else if self.plain > ratio_free_bytes && self.plain > self.packed.saturating_mul(ratio) {
            Refusal::Ratio { limit: ratio }
        } else {
            return Ok(());
        };
        self.tripped = Some(refusal);
        Err(io::Error::other("a limit was reached"))
    }
}

struct Packed<R> {
    inner: R,
    meter: Rc<RefCell<Meter>>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut meter = self.meter.borrow_mut();
        meter.packed = meter.packed.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

struct Plain<R> {
    inner: R,
    meter: Rc<RefCell<Meter>>,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter.borrow_mut().take_plain(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}
