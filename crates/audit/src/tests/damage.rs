//! Whatever somebody does to the files is noticed, and named.

use std::fs;
use std::path::Path;

use super::{Bench, append, public_key};
use crate::verify;

/// A closed log of three segments and its last one; `damage` works on the directory, and `verify`
/// must name `words`.
fn check(damage: impl FnOnce(&Bench), words: &[&str]) {
    let bench = Bench::new();
    let log = bench.open();
    append(&bench, &log, 0..40);
    log.close();
    assert_eq!(bench.verify().unwrap().records, 40);
    let key = public_key(&bench.directory());
    damage(&bench);
    let error = verify(&bench.directory(), &key).unwrap_err();
    let reason = error.reason();
    for word in words {
        assert!(reason.contains(word), "`{word}` is not in `{reason}`");
    }
}

/// The last segment's lines, as they are to be.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn last(bench: &Bench) -> std::path::PathBuf {
    bench.segments().pop().unwrap()
}

#[test]
fn a_changed_byte_is_named() {
    let flip = |bench: &Bench| {
        rewrite(&last(bench), |lines| {
            let line = lines.iter_mut().find(|line| line.contains("padding")).unwrap();
            *line = line.replacen('x', "y", 1);
        });
    };
    check(flip, &["does not follow from record", "line"]);
}

#[test]
fn a_changed_byte_of_the_last_line_is_named() {
    let flip = |bench: &Bench| {
        rewrite(&last(bench), |lines| {
            let line = lines.last_mut().unwrap();
            *line = line.replacen("\"timeMs\":1", "\"timeMs\":2", 1);
        });
    };
    check(flip, &["checkpoint", "not signed"]);
}

#[test]
fn a_changed_byte_of_a_packed_segment_is_named() {
    let flip = |bench: &Bench| {
        let path = bench.segments().into_iter().find(|path| path.extension().unwrap() == "zst");
        let path = path.unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    check(flip, &[".jsonl.zst", "line"]);
}

#[test]
fn a_deleted_line_is_named() {
    let delete = |bench: &Bench| {
        rewrite(&last(bench), |lines| drop(lines.remove(1)));
    };
    check(delete, &["line 2", "are missing before it"]);
}

#[test]
fn lines_in_another_order_are_named() {
    let swap = |bench: &Bench| rewrite(&last(bench), |lines| lines.swap(0, 1));
    check(swap, &["line 1", "missing before it"]);
}

#[test]
fn a_repeated_line_is_named() {
    let repeat = |bench: &Bench| {
        rewrite(&last(bench), |lines| {
            let line = lines[0].clone();
            lines.insert(1, line);
        });
    };
    check(repeat, &["line 2", "out of order"]);
}

#[test]
fn a_deleted_segment_is_named() {
    let delete = |bench: &Bench| fs::remove_file(&bench.segments()[0]).unwrap();
    check(delete, &["segment-", "records 1 to", "missing before it"]);
    let delete = |bench: &Bench| fs::remove_file(last(bench)).unwrap();
    check(delete, &["head", "were sealed and are missing from the end"]);
}

#[test]
fn a_cut_end_is_named() {
    let cut = |bench: &Bench| rewrite(&last(bench), |lines| lines.truncate(lines.len() - 1));
    check(cut, &["head", "sealed and are missing from the end"]);
    let cut = |bench: &Bench| {
        let bytes = fs::read(last(bench)).unwrap();
        fs::write(last(bench), &bytes[..bytes.len() - 5]).unwrap();
    };
    check(cut, &["does not end"]);
}

#[test]
fn a_log_with_another_key_is_named() {
    let forge = |bench: &Bench| {
        let other = tempfile::tempdir().unwrap();
        let ids = base::SeededIds::new(7);
        let clock = std::sync::Arc::clone(&bench.clock) as std::sync::Arc<dyn base::Clock>;
        let directory = other.path().join("audit");
        let log = crate::AuditLog::open(&directory, bench.config.clone(), clock, &ids).unwrap();
        append(bench, &log, 0..40);
        log.close();
        fs::remove_dir_all(bench.directory()).unwrap();
        fs::create_dir(bench.directory()).unwrap();
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, bench.directory().join(path.file_name().unwrap())).unwrap();
        }
    };
    check(forge, &["head", "signature is not that of the log's key"]);
}

#[test]
fn a_head_that_is_gone_or_forged_is_named() {
    check(|bench| fs::remove_file(bench.directory().join("head")).unwrap(), &["head", "missing"]);
    let forge = |bench: &Bench| {
        let path = bench.directory().join("head");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\"sequence\":", "\"sequence\":1", 1)).unwrap();
    };
    check(forge, &["head", "signature"]);
}

#[test]
fn a_changed_log_is_not_opened() {
    let refuse = |damage: &dyn Fn(&Bench), words: &str| {
        let bench = Bench::new();
        let log = bench.open();
        append(&bench, &log, 0..40);
        log.close();
        damage(&bench);
        let error = bench.try_open().unwrap_err().reason();
        assert!(error.contains(words), "{error}");
    };
    refuse(&|bench| rewrite(&last(bench), |lines| drop(lines.remove(1))), "missing before it");
    refuse(&|bench| rewrite(&last(bench), |lines| drop(lines.pop())), "ends before it");
    refuse(&|bench| fs::remove_file(last(bench)).unwrap(), "missing");
    refuse(&|bench| fs::remove_file(bench.directory().join("key")).unwrap(), "is missing");
    refuse(&|bench| fs::remove_file(bench.directory().join("head")).unwrap(), "is missing");
}
