//! A disk that loses power: what was synced is there, and of what was written since, any part.
//!
//! Everything the store does to its file is recorded. A crash at some point of the record leaves,
//! for each sector, one of the versions it had since the last sync, and one of the file's lengths
//! since then: that is what lost, torn and reordered writes come to. The store is opened on that and
//! must be exactly at some revision between the last acknowledged one and the last one asked for.
//! While it repairs itself the power goes again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use redb::StorageBackend;
use redb::backends::FileBackend;
use store::{Query, Revision, Span, Store, Transaction};

use super::{block_on, key, open};
use crate::disk::OpenDatabase;
use crate::{Options, RedbStore};

/// What a disk writes at once.
const SECTOR: usize = 512;
/// Commits of the workload; each is one to four transactions.
const ROUNDS: usize = 40;
/// What the test does in every run; `POWER_LOSS_SEEDS` asks for more.
const SEEDS: u64 = 3;
/// Only every so many crash points are tried with one seed, beginning elsewhere with each.
const STRIDE: usize = 5;

/// One thing done to the file, or said to a client.
#[derive(Debug, Clone)]
enum Step {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
    Synced,
    Acknowledged(Revision),
}

type Record = Arc<Mutex<Vec<Step>>>;

fn note(record: &Record, step: Step) {
    record.lock().unwrap_or_else(PoisonError::into_inner).push(step);
}

/// A disk that records what is done to it.
#[derive(Debug)]
struct Recorder {
    file: FileBackend,
    record: Record,
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        note(&self.record, Step::Length(usize::try_from(len).unwrap()));
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // The real disk need not: nobody takes the power of this machine away.
        note(&self.record, Step::Synced);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let step = Step::Write { offset: usize::try_from(offset).unwrap(), data: data.to_vec() };
        note(&self.record, step);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn open_recorded(directory: &Path, record: &Record) -> Result<RedbStore, crate::OpenError> {
    let record = Arc::clone(record);
    let open: OpenDatabase = Box::new(move |builder, file| {
        let file = FileBackend::new(file)?;
        builder.create_with_backend(Recorder { file, record: Arc::clone(&record) })
    });
    RedbStore::open_with(directory, Options::default(), open)
}

type Contents = BTreeMap<String, Vec<u8>>;

/// A workload that ran to its end, and what the store held at each revision.
struct Story {
    /// The file when the record begins.
    start: Vec<u8>,
    steps: Vec<Step>,
    at: BTreeMap<Revision, Contents>,
}

fn contents(store: &RedbStore) -> Contents {
    let page = block_on(store.range(Query::new(Span::all()))).unwrap();
    page.entries.into_iter().map(|entry| (entry.key.to_string(), entry.value.to_vec())).collect()
}

/// Commits of all sizes, some at the same time, with deletions and replacements.
fn story(seed: u64) -> Story {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let start = fs::read(directory.path().join("state.redb")).unwrap();
    let record = Record::default();
    let store = open_recorded(directory.path(), &record).unwrap();
    let mut random = Random(seed);
    let mut at = BTreeMap::from([(Revision(0), Contents::new())]);
    for round in 0..ROUNDS {
        let mut changes = BTreeMap::new();
        let commits: Vec<_> = (0..=random.below(3))
            .map(|client| {
                // Values that fill a sector, a page, several.
                let size = [20, 700, 5_000, 30_000][random.below(4)] + random.below(99);
                let kept = format!("{client}/{}", random.below(12));
                let value = vec![u8::try_from(round).unwrap(); size];
                let gone = format!("{client}/{}", 12 + random.below(3));
                let both = format!("{client}/{}", 12 + round % 3);
                changes.insert(client, (kept.clone(), value.clone(), gone.clone(), both.clone()));
                let mut transaction = Transaction::new().put(key(&kept), value.clone());
                if gone == both {
                    transaction = transaction.delete(key(&gone));
                } else {
                    transaction = transaction.put(key(&both), value).delete(key(&gone));
                }
                store.commit(transaction)
            })
            .collect();
        let revisions = block_on(join_all(commits));
        let mut found: Vec<_> = revisions.into_iter().map(Result::unwrap).enumerate().collect();
        found.sort_by_key(|(_, revision)| *revision);
        for (client, revision) in found {
            let mut next = at.last_key_value().unwrap().1.clone();
            let (kept, value, gone, both) = changes.remove(&client).unwrap();
            next.insert(kept, value.clone());
            if gone != both {
                next.insert(both, value);
            }
            next.remove(&gone);
            at.insert(revision, next);
            note(&record, Step::Acknowledged(revision));
        }
    }
    // How it looks to those who read now is how it must look to those who come after.
    assert_eq!(&contents(&store), at.last_key_value().unwrap().1);
    drop(store);
    let steps = std::mem::take(&mut *record.lock().unwrap());
    Story { start, steps, at }
}

/// Small and repeatable (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// How a disk treats what it has not been asked to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Each sector is in any of its states since the last sync.
    Any,
    /// All but a few steps arrive.
    LosesOne,
    /// It says that it has synced, and has not: no store can live on it.
    Lies,
}

/// The file after the power went at `point`.
fn left(start: &[u8], steps: &[Step], habit: Habit, random: &mut Random) -> Vec<u8> {
    let synced = match habit {
        Habit::Lies => 0,
        Habit::Any | Habit::LosesOne => steps
            .iter()
            .rposition(|step| matches!(step, Step::Synced))
            .map_or(0, |position| position + 1),
    };
    let mut file = start.to_vec();
    let mut lengths = Vec::new();
    for step in &steps[..synced] {
        apply(&mut file, step);
    }
    lengths.push(file.len());
    let pending: Vec<&Step> = steps[synced..]
        .iter()
        .filter(|step| matches!(step, Step::Write { .. } | Step::Length(_)))
        .collect();
    if habit == Habit::LosesOne {
        let lost = random.below(pending.len() + 1);
        for (_, step) in pending.iter().enumerate().filter(|(index, _)| *index != lost) {
            apply(&mut file, step);
        }
        return file;
    }
    // Each sector's versions, oldest first: what was synced, then each write to it.
    let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    let mut now = file.clone();
    for step in pending {
        apply(&mut now, step);
        match step {
            Step::Length(length) => lengths.push(*length),
            Step::Write { offset, data } => {
                lengths.push(now.len());
                let sectors = offset / SECTOR..(offset + data.len()).div_ceil(SECTOR);
                for sector in sectors {
                    versions.entry(sector).or_default().push(at_sector(&now, sector));
                }
            }
            Step::Synced | Step::Acknowledged(_) => {}
        }
    }
    file.resize(file.len().max(now.len()), 0);
    for (sector, newer) in versions {
        let chosen = random.below(newer.len() + 1);
        if let Some(version) = chosen.checked_sub(1) {
            let begin = sector * SECTOR;
            file.resize(file.len().max(begin + SECTOR), 0);
            file[begin..begin + SECTOR].copy_from_slice(&newer[version]);
        }
    }
    file.resize(lengths[random.below(lengths.len())], 0);
    file
}

fn at_sector(file: &[u8], sector: usize) -> Vec<u8> {
    let begin = (sector * SECTOR).min(file.len());
    let end = (begin + SECTOR).min(file.len());
    let mut bytes = file[begin..end].to_vec();
    bytes.resize(SECTOR, 0);
    bytes
}

fn apply(file: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write { offset, data } => {
            let end = offset + data.len();
            file.resize(file.len().max(end), 0);
            file[*offset..end].copy_from_slice(data);
        }
        Step::Length(length) => file.resize(*length, 0),
        Step::Synced | Step::Acknowledged(_) => {}
    }
}

/// What is wrong after a crash at `point`, if anything: the store opens, holds what was
/// acknowledged, and nothing in part. The power goes a second time during the repair.
fn check(story: &Story, point: usize, habit: Habit, seed: u64) -> Result<(), String> {
    let mut random = Random(seed.wrapping_mul(1_000_003).wrapping_add(point as u64));
    let steps = &story.steps[..point];
    let file = left(&story.start, steps, habit, &mut random);
    let acknowledged = steps.iter().rev().find_map(|step| match step {
        Step::Acknowledged(revision) => Some(*revision),
        Step::Write { .. } | Step::Length(_) | Step::Synced => None,
    });
    let acknowledged = acknowledged.unwrap_or(Revision(0));
    let repair = opened(story, &file, acknowledged)?;
    if repair.is_empty() {
        return Ok(());
    }
    let again = random.below(repair.len() + 1);
    let file = left(&file, &repair[..again], habit, &mut random);
    opened(story, &file, acknowledged)
        .map(drop)
        .map_err(|error| format!("after step {again} of the repair too: {error}"))
}

/// What opening the file does to it.
fn opened(story: &Story, file: &[u8], acknowledged: Revision) -> Result<Vec<Step>, String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("state.redb"), file).unwrap();
    let record = Record::default();
    let store = open_recorded(directory.path(), &record).map_err(|error| error.to_string())?;
    let found = store.revision();
    if found < acknowledged {
        return Err(format!("{acknowledged} was acknowledged, {found} is there"));
    }
    if story.at.get(&found) != Some(&contents(&store)) {
        return Err(format!("it is at {found} and does not hold what that did"));
    }
    let repair = std::mem::take(&mut *record.lock().unwrap());
    // It goes on from here.
    block_on(store.commit(Transaction::new().put(key("after"), "x")))
        .map_err(|error| error.to_string())?;
    Ok(repair)
}

#[expect(clippy::disallowed_methods, reason = "soak asks for more")]
fn seeds() -> u64 {
    std::env::var("POWER_LOSS_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn no_acknowledged_commit_is_lost_with_the_power_and_none_is_there_in_part() {
    let mut cases = 0;
    for seed in 0..seeds() {
        let story = story(seed);
        let habit = if seed % 3 == 2 { Habit::LosesOne } else { Habit::Any };
        let first = usize::try_from(seed).unwrap() % STRIDE;
        for point in (first..=story.steps.len()).step_by(STRIDE) {
            if let Err(problem) = check(&story, point, habit, seed) {
                let before = story.steps[..point].iter().rev().take(6).map(brief);
                let before: Vec<_> = before.collect();
                panic!("seed {seed}, crash point {point} ({habit:?}): {problem}; last: {before:?}");
            }
            cases += 1;
        }
    }
    assert!(cases > 300, "only {cases} crashes");
}

#[test]
fn a_disk_that_lies_about_syncing_is_found_out_by_this_test() {
    let story = story(1);
    let points = (0..=story.steps.len()).step_by(STRIDE);
    let failed = points.filter(|point| check(&story, *point, Habit::Lies, 1).is_err()).count();
    assert!(failed > 20, "{failed} crashes were noticed");
}

fn brief(step: &Step) -> String {
    match step {
        Step::Write { offset, data } => format!("write {}+{}", offset, data.len()),
        Step::Length(_) | Step::Synced | Step::Acknowledged(_) => format!("{step:?}"),
    }
}
