//! A process that is killed while it writes loses nothing that it had acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use base::{ManualClock, Timestamp};
use logstore::{Direction, Durability, EventRef, GetQuery, Limits, LogError, LogStore};

const NOW_MS: i64 = 1_800_000_000_000;

fn open(directory: &Path) -> Result<LogStore, LogError> {
    let limits = Limits {
        block_bytes: 4096,
        segment_bytes: 16_384,
        wal_bytes: 32_768,
        waiting_bytes: 16_384,
        ..Limits::default()
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(NOW_MS)));
    LogStore::open_with(directory, clock, limits)
}

/// Not a test of its own: what the process that is killed does, in its current directory.
#[test]
#[ignore = "run by the other test"]
fn writes_until_it_is_killed() {
    let store = open(Path::new(".")).unwrap();
    match store.create_group("g", std::collections::BTreeMap::new()) {
        Ok(()) => store.create_stream("g", "s").unwrap(),
        Err(LogError::GroupExists(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let first = store.source_position("g", "s").unwrap();
    let first: u64 = first.map_or(0, |position| position.parse().unwrap());
    for number in first.. {
        let message =
            format!("line {number} {}", "z".repeat(usize::try_from(number % 90).unwrap()));
        let event = EventRef { timestamp_ms: NOW_MS, message: message.as_bytes() };
        let position = (number + 1).to_string();
        let durability = if number % 64 == 0 { Durability::Fsync } else { Durability::Written };
        store.append("g", "s", &[event], &position, durability).unwrap();
        println!("acknowledged {number}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn acknowledged_events_are_there_once_after_each_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = acknowledged + 700 + 137 * round;
        while acknowledged < enough {
            let line = lines.next().expect("the writer ended").unwrap();
            if let Some(number) = line.split("acknowledged ").nth(1) {
                acknowledged = number.parse::<u64>().unwrap() + 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(directory.path()).unwrap();
        let mut query = GetQuery {
            start_ms: None,
            end_ms: None,
            direction: Direction::Forward,
            place: None,
            limit: 10_000,
        };
        let mut number = 0;
        loop {
            let page = store.get("g", "s", &query).unwrap();
            assert_eq!(page.damage, []);
            if page.events.is_empty() {
                break;
            }
            for event in &page.events {
                assert!(event.message.starts_with(&format!("line {number} ")), "{event:?}");
                number += 1;
            }
            query.place = Some(page.after);
        }
        assert!(number >= acknowledged, "{acknowledged} acknowledged, {number} there");
        assert_eq!(store.source_position("g", "s").unwrap(), Some(number.to_string()));
        acknowledged = number;
    }
}
