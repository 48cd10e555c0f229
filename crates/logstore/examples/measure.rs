//! Measures how fast lines are appended, read and searched.
//!
//! `cargo run --release -p logstore --example measure -- [LINES] [BATCH]`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{ManualClock, Timestamp};
use logstore::filter::Pattern;
use logstore::{
    Direction, Durability, EventRef, FilterQuery, GetQuery, LogError, LogStore, StreamSelection,
};

const NOW_MS: i64 = 1_800_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let lines: usize = arguments.next().map_or(Ok(3_000_000), |text| text.parse())?;
    let batch: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let directory = tempfile::tempdir()?;
    say(&format!("{lines} lines of about 90 bytes, batches of {batch}"));
    for (name, durability) in [("written", Durability::Written), ("fsync", Durability::Fsync)] {
        let store = open(&directory.path().join(name))?;
        let seconds = timed(|| append(&store, lines, batch, durability))?;
        report(&format!("append, {name}"), lines, seconds);
    }
    let seconds = timed(|| open(&directory.path().join("fsync")).map(drop))?;
    say(&format!("open after that: {:.1} ms", seconds * 1000.0));
    let store = open(&directory.path().join("fsync"))?;
    let patterns = ["", "status=503", "path -health", "absent", "%stat.*=50[0-3]%"];
    for pattern in patterns {
        let seconds = timed(|| search(&store, &Pattern::parse(pattern)?).map(drop))?;
        report(&format!("filter `{pattern}`"), lines, seconds);
    }
    let seconds = timed(|| read(&store, lines))?;
    report("get, page by page", lines, seconds);
    let store = open(&directory.path().join("many"))?;
    store.create_group("many", std::collections::BTreeMap::new())?;
    let seconds = timed(|| many_streams(&store))?;
    say(&format!("10,000 streams created and written once: {seconds:.2} s"));
    let seconds = timed(|| store.checkpoint())?;
    say(&format!("checkpoint of them: {:.1} ms", seconds * 1000.0));
    drop(store);
    let seconds = timed(|| open(&directory.path().join("many")).map(drop))?;
    say(&format!("open of them: {:.1} ms", seconds * 1000.0));
    say(&std::fs::read_to_string("/proc/self/status")?
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
        .collect::<Vec<_>>()
        .join(", "));
    Ok(())
}

fn open(directory: &Path) -> Result<LogStore, LogError> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(NOW_MS)));
    let store = LogStore::open(directory, clock)?;
    match store.create_group("g", std::collections::BTreeMap::new()) {
        Ok(()) => store.create_stream("g", "s")?,
        Err(LogError::GroupExists(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(store)
}

fn append(
    store: &LogStore,
    lines: usize,
    batch: usize,
    durability: Durability,
) -> Result<(), LogError> {
    let texts: Vec<String> = (0..batch)
        .map(|number| {
            let status = if number % 100 == 7 { 503 } else { 200 };
            format!(
                "10.0.{}.{} GET path=/quotes/{} status={status} took={}us agent=check/1.4 id={:08x}",
                number % 7,
                number % 251,
                number * 7919 % 10_000,
                number * 31 % 5000,
                number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
            )
        })
        .collect();
    for round in 0..lines.div_ceil(batch) {
        let timestamp_ms = NOW_MS + i64::try_from(round).unwrap_or(0);
        let events: Vec<EventRef<'_>> =
            texts.iter().map(|text| EventRef { timestamp_ms, message: text.as_bytes() }).collect();
        store.append("g", "s", &events, &round.to_string(), durability)?;
    }
    Ok(())
}

fn search(store: &LogStore, pattern: &Pattern) -> Result<usize, Box<dyn std::error::Error>> {
    let mut query = FilterQuery {
        streams: StreamSelection::All,
        start_ms: None,
        end_ms: None,
        pattern,
        direction: Direction::Forward,
        place: None,
        limit: 10_000,
    };
    let mut found = 0;
    loop {
        let page = store.filter("g", &query)?;
        found += page.events.len();
        query.place = page.next;
        if page.next.is_none() {
            return Ok(found);
        }
    }
}

fn read(store: &LogStore, lines: usize) -> Result<(), LogError> {
    let mut query = GetQuery {
        start_ms: None,
        end_ms: None,
        direction: Direction::Forward,
        place: None,
        limit: 10_000,
    };
    let mut read = 0;
    while read < lines {
        let page = store.get("g", "s", &query)?;
        read += page.events.len();
        query.place = Some(page.after);
    }
    Ok(())
}

fn many_streams(store: &LogStore) -> Result<(), LogError> {
    for number in 0..10_000 {
        let name = format!("stream/{number}");
        store.create_stream("many", &name)?;
        let event = EventRef { timestamp_ms: NOW_MS, message: b"the only line of a short task" };
        store.append("many", &name, &[event], "1", Durability::Written)?;
    }
    Ok(())
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let before = monotonic();
    work()?;
    Ok(monotonic().saturating_sub(before).as_secs_f64())
}

/// Time since the machine started.
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn report(what: &str, lines: usize, seconds: f64) {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 lines")]
    let rate = lines as f64 / seconds / 1e6;
    say(&format!("{what}: {seconds:.2} s, {rate:.2} M lines/s"));
}

#[expect(clippy::print_stdout, reason = "this is what the example is for")]
fn say(text: &str) {
    println!("{text}");
}
