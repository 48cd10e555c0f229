//! Filter patterns on messages; and the files of a log store, and of a container's output, as a
//! crash or a bad disk leaves them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use base::{ManualClock, Timestamp};
use log_spool::{Position, SpoolReader};
use logstore::LogStore;
use logstore::filter::Pattern;

use super::{Target, behaviour};

pub(super) const FILTERS: Target = Target {
    name: "log_filter",
    dictionary: &[
        "{",
        "}",
        "[",
        "]",
        "$.",
        "$.a",
        "$.a[0].b",
        "$.*",
        "\"",
        "%",
        "(",
        ")",
        "&&",
        "||",
        "=",
        "!=",
        ">",
        "<=",
        "*",
        "?",
        "-",
        "IS NULL",
        "NOT EXISTS",
        "IS TRUE",
        "...",
        "ip, ",
        "status = 4*",
        "%[a-z]{1,9}%",
        "%(a|b)+%",
        "{\"a\": [1, {\"b\": \"c\"}]}",
        "\0",
        "1e5",
        "ERROR",
    ],
    repair: None,
    run: filter,
};

pub(super) const FILES: Target = Target {
    name: "log_files",
    dictionary: &["PCLW", "\0\0\0\0", "\x01\0\0\0\0\0\0\0", "\u{7f}", "SP"],
    repair: Some(right_frames),
    run: files,
};

/// A pattern and, after a zero byte, the message.
fn filter(input: &[u8]) -> u64 {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (pattern, message) = input.split_at(end);
    let text = String::from_utf8_lossy(pattern);
    let message = message.get(1..).unwrap_or_default();
    let pattern = match Pattern::parse(&text) {
        Ok(pattern) => pattern,
        Err(error) => {
            let characters = text.chars().count();
            assert!(error.position >= 1 && error.position <= characters + 1, "{error}");
            return behaviour(&error.reason);
        }
    };
    let matches = pattern.matches(message);
    let around = [b"before\n", message, b"\nafter"].concat();
    assert!(!matches || pattern.may_match_within(&around), "a block with it would be passed over");
    behaviour(&(
        matches,
        text.chars().filter(|c| !c.is_alphanumeric()).take(12).collect::<String>(),
    ))
}

/// The first byte says which file the rest is.
fn files(input: &[u8]) -> u64 {
    let Some((which, rest)) = input.split_first() else { return 0 };
    if which % 2 == 0 { spool(rest) } else { write_ahead_log(rest) }
}

/// Numbers the frames of a write-ahead log, and makes their lengths and sums right.
fn right_frames(input: &mut [u8]) {
    const HEADER: usize = 20;
    let Some((1, log)) = input.split_first_mut().map(|(which, log)| (*which % 2, log)) else {
        return;
    };
    let starts: Vec<usize> =
        log.windows(4).enumerate().filter(|(_, four)| four == b"PCLW").map(|(at, _)| at).collect();
    for (number, at) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(log.len());
        let Some(frame) = log.get_mut(*at..end).filter(|frame| frame.len() >= HEADER) else {
            continue;
        };
        let number = u64::try_from(number).unwrap_or(0).to_le_bytes();
        let length = u32::try_from(frame.len() - HEADER).unwrap_or(0).to_le_bytes();
        let mut sum = crc32fast::Hasher::new();
        sum.update(&number);
        sum.update(&frame[HEADER..]);
        frame[4..12].copy_from_slice(&number);
        frame[12..16].copy_from_slice(&length);
        frame[16..20].copy_from_slice(&sum.finalize().to_le_bytes());
    }
}

fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<tempfile::TempDir> = OnceLock::new();
    SCRATCH.get_or_init(|| tempfile::tempdir().expect("make a directory")).path()
}

fn spool(input: &[u8]) -> u64 {
    let directory = scratch().join("spool");
    fs::create_dir_all(&directory).expect("make a directory");
    fs::write(directory.join("0000000000000000.spool"), input).expect("write a segment");
    let mut reader = SpoolReader::open(&directory, Position::default());
    let (mut lines, mut bytes, mut ended) = (0_usize, 0, false);
    loop {
        let batch = reader.read_batch(1024).expect("read a spool");
        if batch.is_empty() {
            break;
        }
        ended |= batch.ended();
        for record in batch.records() {
            lines += 1;
            bytes += record.line.len();
        }
        assert!(bytes <= input.len() && lines <= input.len() + 1, "more than was written");
    }
    behaviour(&("spool", "x".repeat(lines.min(50)), ended))
}

/// A store whose write-ahead log has any bytes opens and works; the second opening finds the same.
fn write_ahead_log(input: &[u8]) -> u64 {
    let directory = scratch().join("logs");
    drop(fs::remove_dir_all(&directory));
    let limits = logstore::Limits { wal_bytes: 64 << 10, ..logstore::Limits::default() };
    let clock = || Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_790_000_000_000)));
    let open = || LogStore::open_with(&directory, clock(), limits);
    drop(open().expect("a new store"));
    fs::write(directory.join("wal-0000000000000000"), input).expect("write a log");
    let Ok(store) = open() else { return behaviour(&"refused") };
    let before = groups(&store);
    if let Err(error) = store.create_group("fuzz-new", Default::default()) {
        return behaviour(&error.to_string());
    }
    drop(store);
    let store = open().expect("opened before");
    let mut after = groups(&store);
    after.retain(|name| name != "fuzz-new");
    assert_eq!(after, before, "what was replayed changed");
    behaviour(&("log", after.len()))
}

fn groups(store: &LogStore) -> Vec<String> {
    let page = store.groups(|_| true, None, 10_000);
    page.groups.into_iter().map(|group| group.name).collect()
}
