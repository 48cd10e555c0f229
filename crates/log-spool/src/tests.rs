use std::fs::OpenOptions;
use std::io::Write;

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { segment_bytes: 64, total_bytes: 256 };

/// Everything a reader sees, with pieces of long lines put together.
fn lines_of(reader: &mut SpoolReader, max_bytes: usize) -> (Vec<(Stream, Vec<u8>)>, bool) {
    let mut lines = Vec::new();
    let mut pieces = [Vec::new(), Vec::new()];
    let mut ended = false;
    loop {
        let batch = reader.read_batch(max_bytes).unwrap();
        if batch.is_empty() {
            return (lines, ended);
        }
        for record in batch.records() {
            let piece = &mut pieces[record.stream as usize];
            piece.extend_from_slice(record.line);
            if !record.partial {
                lines.push((record.stream, std::mem::take(piece)));
            }
        }
        ended |= batch.ended();
    }
}

#[test]
fn a_reader_gets_whole_lines_in_order_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(directory.path(), LIMITS).unwrap();
    writer.write(Stream::Stdout, 1, b"one\ntw").unwrap();
    writer.write(Stream::Stderr, 2, b"oops\n").unwrap();
    writer.write(Stream::Stdout, 3, b"o\n\nlast").unwrap();
    let mut reader = SpoolReader::open(directory.path(), Position::default());
    let timestamps: Vec<(i64, Vec<u8>)> = reader
        .read_batch(4096)
        .unwrap()
        .records()
        .map(|record| (record.timestamp_ms, record.line.to_vec()))
        .collect();
    assert_eq!(
        timestamps,
        [(1, b"one".to_vec()), (2, b"oops".to_vec()), (3, b"two".to_vec()), (3, b"".to_vec())]
    );
    writer.finish(4).unwrap();
    assert_eq!(lines_of(&mut reader, 4096), (vec![(Stream::Stdout, b"last".to_vec())], true));
}

#[test]
fn a_full_spool_has_room_again_once_the_reader_commits() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(directory.path(), LIMITS).unwrap();
    while writer.has_room() {
        writer.write(Stream::Stdout, 1, b"0123456789012345678901234567890123456789\n").unwrap();
    }
    let mut reader = SpoolReader::open(directory.path(), Position::default());
    let (lines, _) = lines_of(&mut reader, 100);
    assert!(!writer.has_room(), "reading alone must not make room");
    reader.commit(reader.position()).unwrap();
    assert!(writer.has_room(), "after {} lines were committed", lines.len());
}

#[test]
fn reading_goes_on_from_a_kept_position_after_its_segment_was_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(directory.path(), LIMITS).unwrap();
    for _ in 0..6 {
        writer.write(Stream::Stdout, 1, b"0123456789012345678901234567890123456789\n").unwrap();
    }
    let mut first = SpoolReader::open(directory.path(), Position::default());
    first.commit(Position { segment: 2, offset_bytes: 0 }).unwrap();
    let mut second = SpoolReader::open(directory.path(), Position::default());
    assert_eq!(lines_of(&mut second, 4096).0.len(), 2);
}

#[test]
fn half_a_frame_at_the_end_of_a_segment_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(directory.path(), LIMITS).unwrap();
    writer.write(Stream::Stdout, 1, b"whole\n").unwrap();
    let path = directory.path().join(segment_name(0));
    OpenOptions::new().append(true).open(path).unwrap().write_all(&[0x53, 0x50, 1]).unwrap();
    let mut reader = SpoolReader::open(directory.path(), Position::default());
    assert_eq!(lines_of(&mut reader, 4096).0.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_byte_is_lost_or_changed_however_the_output_arrives(
        chunks in proptest::collection::vec((any::<bool>(), 0usize..5, 0usize..200_000), 1..30),
        max_bytes in 1usize..300_000,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { segment_bytes: 100_000, total_bytes: u64::MAX };
        let mut writer = SpoolWriter::create(directory.path(), limits).unwrap();
        let mut written = [Vec::new(), Vec::new()];
        for (error, line_feeds, bytes) in chunks {
            let stream = if error { Stream::Stderr } else { Stream::Stdout };
            let mut chunk = vec![b'x'; bytes];
            for feed in 0..line_feeds.min(bytes) {
                chunk[feed * bytes / line_feeds] = b'\n';
            }
            writer.write(stream, 7, &chunk).unwrap();
            written[stream as usize].extend(chunk);
        }
        writer.finish(8).unwrap();
        let mut reader = SpoolReader::open(directory.path(), Position::default());
        let (lines, ended) = lines_of(&mut reader, max_bytes);
        prop_assert!(ended);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let read: Vec<&[u8]> =
                lines.iter().filter(|(of, _)| *of == stream).map(|(_, line)| &line[..]).collect();
            let all = &written[stream as usize];
            let expected = all.strip_suffix(b"\n").unwrap_or(all);
            let expected: Vec<&[u8]> = if all.is_empty() {
                Vec::new()
            } else {
                expected.split(|byte| *byte == b'\n').collect()
            };
            prop_assert_eq!(read, expected);
        }
    }
}
