use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

use base::{ManualClock, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::filter::Pattern;
use crate::{BatchError, Damage};

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Small enough that a few events make blocks, segments and checkpoints.
const SMALL: Limits = Limits {
    block_bytes: 256,
    segment_bytes: 600,
    segment_span_ms: DAY_MS,
    wal_bytes: 4096,
    waiting_bytes: 2048,
    read_cache_bytes: 1,
    scan_bytes: 1 << 20,
};

struct World {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(NOW_MS)));
        Self { directory: tempfile::tempdir().unwrap(), clock }
    }

    fn open(&self, limits: Limits) -> LogStore {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        LogStore::open_with(self.directory.path(), clock, limits).unwrap()
    }

    fn store(&self, limits: Limits, streams: &[&str]) -> LogStore {
        let store = self.open(limits);
        store.create_group("g", BTreeMap::new()).unwrap();
        for stream in streams {
            store.create_stream("g", stream).unwrap();
        }
        store
    }
}

fn put(store: &LogStore, stream: &str, events: &[(i64, &str)]) -> Result<PutOutcome, LogError> {
    let events: Vec<EventRef<'_>> = events
        .iter()
        .map(|(timestamp_ms, message)| EventRef {
            timestamp_ms: *timestamp_ms,
            message: message.as_bytes(),
        })
        .collect();
    store.put("g", stream, &events, Durability::Written)
}

fn get(from: Direction, place: Option<Place>, limit: usize) -> GetQuery {
    GetQuery { start_ms: None, end_ms: None, direction: from, place, limit }
}

fn texts(page: &Page) -> Vec<&str> {
    page.events.iter().map(|event| event.message.as_str()).collect()
}

/// All messages of stream `s`.
fn everything(store: &LogStore) -> Vec<String> {
    let mut place = None;
    let mut all = Vec::new();
    loop {
        let page = store.get("g", "s", &get(Direction::Forward, place, 10_000)).unwrap();
        assert_eq!(page.damage, []);
        if page.events.is_empty() {
            return all;
        }
        all.extend(page.events.into_iter().map(|event| event.message));
        place = Some(page.after);
    }
}

fn search(store: &LogStore, pattern: &str, direction: Direction, limit: usize) -> Vec<String> {
    let pattern = Pattern::parse(pattern).unwrap();
    let mut query = FilterQuery {
        streams: StreamSelection::All,
        start_ms: None,
        end_ms: None,
        pattern: &pattern,
        direction,
        place: None,
        limit,
    };
    let mut found = Vec::new();
    for _ in 0..10_000 {
        let page = store.filter("g", &query).unwrap();
        assert_eq!(page.damage, []);
        found.extend(page.events.into_iter().map(|event| event.event.message));
        query.place = page.next;
        if page.next.is_none() {
            return found;
        }
    }
    panic!("the search {query:?} does not end; {} found so far", found.len());
}

#[test]
fn groups_and_streams_are_created_described_and_deleted_for_good() {
    let world = World::new();
    let store = world.open(SMALL);
    let tags = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    store.create_group("b", tags.clone()).unwrap();
    store.create_group("a", BTreeMap::new()).unwrap();
    assert!(matches!(store.create_group("a", BTreeMap::new()), Err(LogError::GroupExists(_))));
    store.set_retention("b", Some(7)).unwrap();
    assert!(matches!(store.set_retention("b", Some(8)), Err(LogError::Retention(8))));
    store.tag("a", BTreeMap::from([("x".into(), "1".into()), ("y".into(), "2".into())])).unwrap();
    store.untag("a", &["x".to_owned()]).unwrap();
    assert_eq!(
        (store.tags_of("a").len(), store.tags_of("b"), store.tags_of("c").len()),
        (1, tags.clone(), 0)
    );
    for stream in ["s2", "s1", "t"] {
        store.create_stream("a", stream).unwrap();
    }
    assert!(matches!(store.create_stream("a", "t"), Err(LogError::StreamExists { .. })));
    store.delete_stream("a", "t").unwrap();
    drop(store);
    let store = world.open(SMALL);
    let page = store.groups(|_| true, None, 1);
    assert_eq!((page.groups[0].name.as_str(), page.more), ("a", true));
    assert_eq!(page.groups[0].tags, BTreeMap::from([("y".to_owned(), "2".to_owned())]));
    assert_eq!(store.tags_of("a"), page.groups[0].tags);
    let page = store.groups(|_| true, Some("a"), 1);
    assert_eq!((page.groups[0].name.as_str(), page.more), ("b", false));
    assert_eq!((page.groups[0].retention_days, &page.groups[0].tags), (Some(7), &tags));
    let query = StreamQuery {
        prefix: "s",
        order: StreamOrder::Name,
        descending: true,
        after: None,
        limit: 1,
    };
    let page = store.streams("a", &query).unwrap();
    assert_eq!((page.streams[0].name.as_str(), page.more), ("s2", true));
    let page = store.streams("a", &StreamQuery { after: Some((None, "s2")), ..query }).unwrap();
    assert_eq!((page.streams[0].name.as_str(), page.more), ("s1", false));
    store.delete_group("a").unwrap();
    assert!(matches!(store.delete_group("a"), Err(LogError::GroupNotFound(_))));
    assert!(matches!(store.delete_stream("b", "x"), Err(LogError::StreamNotFound { .. })));
}

#[test]
fn a_store_is_opened_once_at_a_time() {
    let world = World::new();
    let first = world.open(SMALL);
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let second = LogStore::open(world.directory.path(), clock);
    assert!(matches!(second, Err(LogError::InUse(_))));
    drop(first);
    world.open(SMALL);
}

#[test]
fn a_put_leaves_out_what_is_too_old_or_too_new() {
    let world = World::new();
    let store = world.store(SMALL, &["s"]);
    let outcome = put(
        &store,
        "s",
        &[
            (NOW_MS - 15 * DAY_MS, "too old"),
            (NOW_MS, "now"),
            (NOW_MS + 7_200_000, "in two hours"),
            (NOW_MS + 7_200_001, "too new"),
        ],
    );
    let expected = PutOutcome { too_new_start: Some(3), too_old_end: Some(1), expired_end: None };
    assert_eq!(outcome.unwrap(), expected);
    store.set_retention("g", Some(3)).unwrap();
    let outcome = put(&store, "s", &[(NOW_MS - 4 * DAY_MS, "expired"), (NOW_MS, "again")]);
    let expected = PutOutcome { expired_end: Some(1), ..PutOutcome::default() };
    assert_eq!(outcome.unwrap(), expected);
    assert_eq!(everything(&store), ["now", "again", "in two hours"]);
}

#[test]
fn a_batch_against_the_rules_is_refused_whole() {
    let world = World::new();
    let store = world.store(Limits::default(), &["s"]);
    let check = |events: &[(i64, &str)], expected: BatchError| {
        match put(&store, "s", events) {
            Err(LogError::Batch(error)) => assert_eq!(error, expected),
            other => panic!("{other:?} instead of {expected:?}"),
        }
        assert_eq!(everything(&store), [""; 0]);
    };
    let long = "x".repeat(1 << 20);
    check(&[], BatchError::Empty);
    check(&[(NOW_MS, "a"), (NOW_MS, "")], BatchError::EmptyMessage(1));
    check(&[(NOW_MS, "a"), (NOW_MS - 1, "b")], BatchError::Unordered);
    check(&[(NOW_MS - DAY_MS - 1, "a"), (NOW_MS, "b")], BatchError::Span);
    check(&[(NOW_MS, "a"); 10_001], BatchError::TooMany(10_001));
    check(&[(NOW_MS, &long)], BatchError::EventTooLarge { index: 0, bytes: 1 << 20 });
    check(&[(NOW_MS, long.get(..600_000).unwrap()); 2], BatchError::TooLarge(1_200_052));
    put(&store, "s", &[(NOW_MS, long.get(26..).unwrap())]).unwrap();
}

#[test]
fn a_stream_is_paged_both_ways_and_places_stay_when_events_are_added() {
    let world = World::new();
    let store = world.store(SMALL, &["s"]);
    let page = store.get("g", "s", &get(Direction::Backward, None, 2)).unwrap();
    assert_eq!((texts(&page), page.before), (vec![], page.after));
    let empty = page.after;
    put(&store, "s", &[(NOW_MS, "1"), (NOW_MS, "2"), (NOW_MS + 1, "3")]).unwrap();
    let page = store.get("g", "s", &get(Direction::Forward, Some(empty), 9)).unwrap();
    assert_eq!(texts(&page), ["1", "2", "3"]);
    let last = store.get("g", "s", &get(Direction::Backward, None, 2)).unwrap();
    assert_eq!(texts(&last), ["2", "3"]);
    let first = store.get("g", "s", &get(Direction::Backward, Some(last.before), 2)).unwrap();
    assert_eq!(texts(&first), ["1"]);
    let none = store.get("g", "s", &get(Direction::Backward, Some(first.before), 2)).unwrap();
    assert_eq!((texts(&none), none.before), (vec![], first.before));
    let none = store.get("g", "s", &get(Direction::Forward, Some(last.after), 2)).unwrap();
    assert_eq!((texts(&none), none.after), (vec![], last.after));
    put(&store, "s", &[(NOW_MS + 1, "4")]).unwrap();
    let more = store.get("g", "s", &get(Direction::Forward, Some(last.after), 2)).unwrap();
    assert_eq!(texts(&more), ["4"]);
    let bounded = GetQuery {
        start_ms: Some(NOW_MS + 1),
        end_ms: Some(NOW_MS + 2),
        ..get(Direction::Forward, None, 9)
    };
    assert_eq!(texts(&store.get("g", "s", &bounded).unwrap()), ["3", "4"]);
    let text = last.after.to_string();
    assert_eq!((text.len(), text.parse::<Place>().unwrap()), (56, last.after));
}

#[test]
fn an_answer_has_at_most_a_mebibyte() {
    let world = World::new();
    let store = world.store(Limits::default(), &["s"]);
    let long = "x".repeat(400_000);
    for _ in 0..5 {
        put(&store, "s", &[(NOW_MS, &long)]).unwrap();
    }
    let page = store.get("g", "s", &get(Direction::Forward, None, 10)).unwrap();
    assert_eq!(page.events.len(), 2);
    assert_eq!(everything(&store).len(), 5);
    assert_eq!(search(&store, "x", Direction::Forward, 10).len(), 5);
    assert_eq!(search(&store, "x", Direction::Backward, 10).len(), 5);
}

#[test]
fn a_source_position_is_kept_with_the_events_it_came_with() {
    let world = World::new();
    let store = world.store(SMALL, &["s"]);
    assert_eq!(store.source_position("g", "s").unwrap(), None);
    let mut expected = Vec::new();
    for round in 0..40 {
        let message = format!("{round} {}", "x".repeat(round * 3));
        let events = [
            EventRef { timestamp_ms: NOW_MS, message: message.as_bytes() },
            EventRef { timestamp_ms: NOW_MS, message: b"" },
        ];
        let position = format!("position {round}");
        store.append("g", "s", &events, &position, Durability::Written).unwrap();
        expected.push(message);
        if round % 7 == 0 {
            assert_eq!(everything(&store), expected);
        }
    }
    drop(store);
    let store = world.open(SMALL);
    assert_eq!(store.source_position("g", "s").unwrap().as_deref(), Some("position 39"));
    assert_eq!(everything(&store), expected);
}

#[test]
fn expired_events_are_not_read_and_their_segments_are_swept() {
    let world = World::new();
    let store = world.store(SMALL, &["s"]);
    store.set_retention("g", Some(1)).unwrap();
    let long = "x".repeat(300);
    put(&store, "s", &[(NOW_MS, &long)]).unwrap();
    world.clock.advance_ms(DAY_MS - 1);
    put(&store, "s", &[(NOW_MS + DAY_MS - 1, &long)]).unwrap();
    assert_eq!((store.sweep().segments, everything(&store).len()), (0, 2));
    world.clock.advance_ms(2);
    assert_eq!(everything(&store).len(), 1);
    // Both are in one segment, whose span is a day.
    assert_eq!(store.sweep().segments, 0);
    world.clock.advance_ms(DAY_MS);
    assert_eq!((store.sweep().events, store.sweep().events), (2, 0));
    assert_eq!(store.group("g").unwrap().stored_bytes, 0);
    drop(store);
    let files = std::fs::read_dir(world.directory.path().join("segments")).unwrap();
    assert_eq!(files.count(), 0);
    assert_eq!(everything(&world.open(SMALL)), [""; 0]);
}

#[test]
fn a_damaged_block_is_named_and_the_rest_is_read() {
    let world = World::new();
    let store = world.store(Limits { segment_bytes: 1 << 20, ..SMALL }, &["s"]);
    for number in 0..3 {
        let message = format!("{number} {}", "x".repeat(300));
        put(&store, "s", &[(NOW_MS + number, &message)]).unwrap();
    }
    let path = world.directory.path().join("segments/0000000000000000-00000000");
    let bytes = std::fs::read(&path).unwrap();
    let block_bytes = bytes.len() as u64 / 3;
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let check = |at: u64, reason: &'static str| {
        file.write_all_at(b"\xff", block_bytes + at).unwrap();
        let page = store.get("g", "s", &get(Direction::Forward, None, 10)).unwrap();
        let firsts: Vec<&str> = texts(&page).iter().filter_map(|text| text.get(..1)).collect();
        assert_eq!(firsts, ["0", "2"]);
        let damage = Damage { path: path.clone(), offset_bytes: block_bytes, reason };
        assert_eq!(page.damage, [damage]);
        file.write_all_at(&bytes, 0).unwrap();
    };
    check(70, "the checksum of a block does not match");
    check(3, "no valid block header");
    assert_eq!(everything(&store).len(), 3);
}

#[test]
fn streams_are_ordered_by_their_last_event() {
    let world = World::new();
    let store = world.store(SMALL, &["a", "b", "c"]);
    put(&store, "a", &[(NOW_MS - 5, "x"), (NOW_MS, "yz")]).unwrap();
    put(&store, "b", &[(NOW_MS - 1, "x")]).unwrap();
    let query = StreamQuery {
        prefix: "",
        order: StreamOrder::LastEvent,
        descending: true,
        after: None,
        limit: 2,
    };
    let page = store.streams("g", &query).unwrap();
    let names: Vec<&str> = page.streams.iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!((names, page.more), (vec!["a", "b"], true));
    let first = &page.streams[0];
    assert_eq!((first.first_event_ms, first.last_event_ms), (Some(NOW_MS - 5), Some(NOW_MS)));
    assert_eq!((first.last_ingestion_ms, first.stored_bytes), (Some(NOW_MS), 55));
    let after = Some((page.streams[1].last_event_ms, "b"));
    let page = store.streams("g", &StreamQuery { after, ..query }).unwrap();
    assert_eq!((page.streams[0].name.as_str(), page.more), ("c", false));
}

#[test]
fn a_search_that_has_read_enough_can_be_continued() {
    let world = World::new();
    let store = world.store(Limits { scan_bytes: 1, ..SMALL }, &["s", "t"]);
    for number in 0..50 {
        for stream in ["s", "t"] {
            let message = format!("{stream}{number} {}", "x".repeat(100));
            put(&store, stream, &[(NOW_MS + number / 10, &message)]).unwrap();
        }
    }
    let pattern = Pattern::parse("absent").unwrap();
    let query = FilterQuery {
        streams: StreamSelection::Prefix("s"),
        start_ms: None,
        end_ms: None,
        pattern: &pattern,
        direction: Direction::Forward,
        place: None,
        limit: 10,
    };
    let page = store.filter("g", &query).unwrap();
    assert!(page.events.is_empty() && page.next.is_some());
    for direction in [Direction::Forward, Direction::Backward] {
        assert_eq!(search(&store, "absent", direction, 10), [""; 0]);
        assert_eq!(search(&store, "t49", direction, 10).len(), 1);
        assert_eq!(search(&store, "x", direction, 7).len(), 100);
    }
    let names = ["s".to_owned(), "none".to_owned()];
    let query = FilterQuery { streams: StreamSelection::Names(&names), ..query };
    assert!(matches!(store.filter("g", &query), Err(LogError::StreamNotFound { .. })));
}

#[derive(Debug, Clone)]
enum Step {
    Put { stream: usize, times: Vec<i64> },
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let put = (0..3_usize, proptest::collection::vec(-1000..1000_i64, 1..12))
        .prop_map(|(stream, times)| Step::Put { stream, times });
    let step = prop_oneof![8 => put, 1 => Just(Step::Checkpoint), 1 => Just(Step::Reopen)];
    proptest::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Compares the store with a list that is sorted.
    #[test]
    fn every_event_is_read_once_and_in_order(
        steps in steps(),
        limit in 1..20_usize,
        scan_bytes in prop_oneof![Just(1_u64), Just(600), Just(1 << 20)],
        cache_bytes in prop_oneof![Just(1_usize), Just(1 << 20)],
    ) {
        let world = World::new();
        let limits = Limits { scan_bytes, read_cache_bytes: cache_bytes, ..SMALL };
        let mut store = world.store(limits, &["a", "b", "c"]);
        let mut model: Vec<(i64, usize, usize, String)> = Vec::new();
        for step in steps {
            match step {
                Step::Put { stream, mut times } => {
                    times.sort_unstable();
                    let mut batch = Vec::new();
                    for time in times {
                        let number = model.len();
                        let message = format!("event {number} {}", "y".repeat(number % 40));
                        batch.push((NOW_MS + time, message.clone()));
                        model.push((NOW_MS + time, stream, number, message));
                    }
                    let batch: Vec<(i64, &str)> =
                        batch.iter().map(|(time, message)| (*time, message.as_str())).collect();
                    put(&store, ["a", "b", "c"][stream], &batch).unwrap();
                }
                Step::Checkpoint => store.checkpoint().unwrap(),
                Step::Reopen => {
                    drop(store);
                    store = world.open(limits);
                }
            }
        }
        model.sort();
        let mut expected: Vec<String> = model.iter().map(|event| event.3.clone()).collect();
        prop_assert_eq!(&search(&store, "", Direction::Forward, limit), &expected);
        let odd: Vec<String> =
            expected.iter().filter(|message| message.contains("1 ")).cloned().collect();
        prop_assert_eq!(&search(&store, "\"1 \"", Direction::Forward, limit), &odd);
        expected.reverse();
        prop_assert_eq!(&search(&store, "", Direction::Backward, limit), &expected);
        let mut place = None;
        let mut of_a = Vec::new();
        loop {
            let page = store.get("g", "a", &get(Direction::Backward, place, limit)).unwrap();
            if page.events.is_empty() {
                break;
            }
            of_a.extend(page.events.into_iter().rev().map(|event| event.message));
            place = Some(page.before);
        }
        let mut expected: Vec<String> =
            model.iter().filter(|event| event.1 == 0).map(|event| event.3.clone()).collect();
        expected.reverse();
        prop_assert_eq!(of_a, expected);
    }
}
