//! The contract, and what the disk adds to it.

mod power_loss;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::FutureExt;
use redb::backends::FileBackend;
use redb::{Database, StorageBackend, TableDefinition};
use store::suite::Fixture;
use store::{CommitError, HistoryLimits, Key, Query, Revision, Span, Store, Transaction};
use tempfile::TempDir;

use crate::disk::OpenDatabase;
use crate::{OpenError, Options, RedbStore};

const HISTORY_BATCHES: usize = 200;

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let options =
        Options { history: HistoryLimits { batches: HISTORY_BATCHES, ..HistoryLimits::default() } };
    let store = Arc::new(RedbStore::open(directory.path(), options).unwrap());
    let filled = Arc::clone(&store);
    let compact = move |_| {
        let store = Arc::clone(&filled);
        async move {
            for index in 0..HISTORY_BATCHES {
                let filler = Transaction::new().put(key("filler/x"), index.to_string());
                store.commit(filler).await.unwrap();
            }
        }
        .boxed()
    };
    Fixture::new(store, Box::new(compact), directory)
}

mod contract {
    store::contract_suite!(super::fixture);
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn open(directory: &Path) -> Result<RedbStore, OpenError> {
    RedbStore::open(directory, Options::default())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn put(
    store: &RedbStore,
    name: &str,
    value: impl Into<bytes::Bytes>,
) -> Result<Revision, CommitError> {
    block_on(store.commit(Transaction::new().put(key(name), value)))
}

fn list(store: &RedbStore) -> BTreeMap<String, usize> {
    let page = block_on(store.range(Query::new(Span::all()))).unwrap();
    page.entries.into_iter().map(|entry| (entry.key.to_string(), entry.value.len())).collect()
}

#[test]
fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    put(&store, "a", "1").unwrap();
    put(&store, "gone", "1").unwrap();
    put(&store, "a", "2").unwrap();
    block_on(store.commit(Transaction::new().delete(key("gone")))).unwrap();
    let before = block_on(store.range(Query::new(Span::all()))).unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(block_on(store.range(Query::new(Span::all()))).unwrap(), before);
    assert_eq!(store.revision(), Revision(4));
    let mut watch = block_on(store.watch(Span::all(), Revision(4))).unwrap();
    assert_eq!(put(&store, "b", "3"), Ok(Revision(5)));
    assert_eq!(block_on(watch.next()).unwrap().revision, Revision(5));
}

#[test]
fn a_second_open_is_refused_and_names_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let error = open(directory.path()).unwrap_err().to_string();
    let owner = format!("in use by process {}: stop that first", std::process::id());
    assert!(error.contains(&owner), "{error}");
    assert!(error.contains(&directory.path().display().to_string()), "{error}");
    drop(first);
    open(directory.path()).unwrap();
}

#[test]
fn files_are_for_the_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    drop(open(&state).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    fs::set_permissions(state.join("state.redb"), fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&state).unwrap());
    assert_eq!(mode(&state), 0o700);
    let mut names = Vec::new();
    for file in fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["state.lock", "state.redb"]);
}

/// Opening fails with an error that contains `expected`, and the file stays as it is.
#[track_caller]
fn check_refused(content: &[u8], expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    fs::write(&path, content).unwrap();
    let error = open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert_eq!(fs::read(&path).unwrap(), content);
}

fn redb_file(meta: &[(&str, u64)]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    let name = if meta.is_empty() { "other" } else { "portcullis_meta" };
    let mut table = write.open_table(TableDefinition::<&str, u64>::new(name)).unwrap();
    for (name, value) in meta {
        table.insert(*name, *value).unwrap();
    }
    drop(table);
    write.commit().unwrap();
    drop(database);
    fs::read(&path).unwrap()
}

#[test]
fn a_foreign_file_is_refused_and_kept() {
    check_refused(b"", "it is empty");
    check_refused(b"SQLite format 3\0 and more", "it is not a redb file");
    check_refused(&redb_file(&[]), "a redb file of another program");
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let newer = redb_file(&[("format", 2), ("revision", 7)]);
    check_refused(&newer, "has store format 2, this program knows formats up to 1");
}

fn filled_file(directory: &Path) -> Vec<u8> {
    let store = open(directory).unwrap();
    let all = (0..100).fold(Transaction::new(), |all, index| {
        all.put(key(&format!("k/{index}")), vec![index; 2_000])
    });
    block_on(store.commit(all)).unwrap();
    drop(store);
    fs::read(directory.join("state.redb")).unwrap()
}

#[test]
fn a_truncated_file_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let content = filled_file(directory.path());
    for length in [9, 100, 5_000, content.len() / 2] {
        check_refused(&content[..length], "is damaged");
    }
}

#[test]
fn a_damaged_byte_is_refused_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let content = filled_file(directory.path());
    let expected = list(&open(directory.path()).unwrap());
    let mut refused = 0;
    for offset in (0..320).step_by(5).chain((320..content.len()).step_by(4_999)) {
        let mut damaged = content.clone();
        damaged[offset] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        match open(directory.path()) {
            Ok(store) => assert_eq!(list(&store), expected, "damaged at {offset}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "{refused} were refused");
}

/// A disk that can be filled, and whose next sync can be made to fail.
#[derive(Debug)]
struct TestDisk {
    file: FileBackend,
    controls: Arc<Controls>,
}

#[derive(Debug, Default)]
struct Controls {
    full: AtomicBool,
    /// Syncs until one fails; negative for never.
    syncs: AtomicI64,
}

impl StorageBackend for TestDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.controls.syncs.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.controls.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn on_test_disk() -> (RedbStore, Arc<Controls>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let controls = Arc::new(Controls { syncs: (-1).into(), ..Controls::default() });
    let below = Arc::clone(&controls);
    let open: OpenDatabase = Box::new(move |builder, file| {
        let file = FileBackend::new(file)?;
        builder.create_with_backend(TestDisk { file, controls: Arc::clone(&below) })
    });
    let store = RedbStore::open_with(directory.path(), Options::default(), open).unwrap();
    (store, controls, directory)
}

#[test]
fn a_full_disk_stops_commits_only_and_only_while_it_is_full() {
    let (store, controls, directory) = on_test_disk();
    put(&store, "a", "1").unwrap();
    for round in 0..3 {
        controls.full.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            let error = put(&store, "b", "22").unwrap_err();
            assert!(error.retryable());
            assert!(error.to_string().contains("is full: free some space"), "{error}");
            assert_eq!(list(&store).get("a"), Some(&1));
        }
        controls.full.store(false, Ordering::SeqCst);
        assert_eq!(store.revision(), Revision(1 + round));
        assert_eq!(put(&store, "c", "333"), Ok(Revision(2 + round)));
    }
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(list(&store), BTreeMap::from([("a".to_owned(), 1), ("c".to_owned(), 3)]));
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_a_restart() {
    let (store, controls, directory) = on_test_disk();
    put(&store, "a", "1").unwrap();
    controls.syncs.store(0, Ordering::SeqCst);
    let error = put(&store, "b", "1").unwrap_err();
    assert!(matches!(error, CommitError::OutcomeUnknown { .. }), "{error}");
    let error = put(&store, "b", "1").unwrap_err();
    assert!(matches!(error, CommitError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("check it, then restart"), "{error}");
    assert_eq!(list(&store).get("a"), Some(&1));
    drop(store);
    assert_eq!(list(&open(directory.path()).unwrap()).get("a"), Some(&1));
}

const CLIENTS: usize = 8;
/// How many entries each client of the child keeps.
const WINDOW: usize = 50;

fn size(index: usize) -> usize {
    100 + (index * 37) % 3_000
}

/// What each client of the child does: entry after entry, each with the deletion of an old one.
async fn commit_and_tell(store: Arc<RedbStore>, client: usize) {
    for index in 0.. {
        let name = key(&format!("{client}/{index}"));
        let mut transaction = Transaction::new().put(name, vec![b'x'; size(index)]);
        if let Some(old) = index.checked_sub(WINDOW) {
            transaction = transaction.delete(key(&format!("{client}/{old}")));
        }
        store.commit(transaction).await.unwrap();
        let line = format!("ack {client} {index}\n");
        io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

#[test]
#[ignore = "run as a child by `no_acknowledged_write_is_lost_by_a_kill`"]
fn child_that_commits_until_it_is_killed() {
    let mut directory = String::new();
    io::stdin().read_line(&mut directory).unwrap();
    if directory.is_empty() {
        return;
    }
    let store = Arc::new(open(Path::new(directory.trim())).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let clients: Vec<_> =
        (0..8).map(|client| runtime.spawn(commit_and_tell(Arc::clone(&store), client))).collect();
    for client in clients {
        runtime.block_on(client).unwrap();
    }
}

/// Lets a child commit, kills it after so many acknowledgements; gives the last of each client.
fn acknowledged_until_killed(directory: &Path, after: usize) -> BTreeMap<usize, usize> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["tests::child_that_commits_until_it_is_killed", "--exact", "--ignored"])
        .args(["--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", directory.display()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut line = String::new();
    while lines.len() < after && output.read_line(&mut line).unwrap() > 0 {
        lines.extend(acknowledgement(&line));
        line.clear();
    }
    child.kill().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    // What has no end of line may be half a number.
    lines.extend(rest.split_inclusive('\n').filter_map(acknowledgement));
    lines.into_iter().collect()
}

fn acknowledgement(line: &str) -> Option<(usize, usize)> {
    let (client, index) = line.strip_suffix('\n')?.split_once("ack ")?.1.split_once(' ')?;
    Some((client.parse().ok()?, index.parse().ok()?))
}

#[test]
fn no_acknowledged_write_is_lost_by_a_kill() {
    for round in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let acknowledged = acknowledged_until_killed(directory.path(), round * round * 29);
        assert!(round == 0 || !acknowledged.is_empty(), "the child did nothing");
        let store = open(directory.path()).unwrap();
        let found = list(&store);
        let mut expected = BTreeMap::new();
        for client in 0..CLIENTS {
            // Each client waits for its answer, so one commit at most is without one.
            let last = acknowledged.get(&client).copied();
            let unanswered = last.map_or(0, |last| last + 1);
            let answered = found.contains_key(&format!("{client}/{unanswered}"));
            let count = if answered { unanswered + 1 } else { unanswered };
            for index in count.saturating_sub(WINDOW)..count {
                expected.insert(format!("{client}/{index}"), size(index));
            }
        }
        assert_eq!(found, expected, "round {round}, acknowledged {acknowledged:?}");
        put(&store, "after", "x").unwrap();
    }
}
