//! Measures durable commits and cold starts: `measure [directory]`, in release.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::{Key, Store, Transaction};
use store_redb::{Options, RedbStore};
use tokio::time::Instant;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const VALUE_BYTES: usize = 1_000;

#[tokio::main]
async fn main() -> Outcome {
    let temporary = tempfile::tempdir()?;
    let given = std::env::args().nth(1);
    let directory = given.as_ref().map_or(temporary.path(), Path::new);
    let path = directory.join("measured-store");
    let store = Arc::new(open(&path)?);
    floor(&directory.join("measured-floor"), 3_000)?;
    one_client(&store, 3_000).await?;
    for clients in [8, 64, 256] {
        many_clients(&store, clients, 40_000 / clients).await?;
    }
    drop(store);
    fs::remove_dir_all(&path)?;
    for entries in [10_000, 100_000] {
        cold_start(&path, entries).await?;
        fs::remove_dir_all(&path)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<RedbStore, store_redb::OpenError> {
    RedbStore::open(path, Options::default())
}

async fn put(store: &RedbStore, name: String) -> Outcome {
    let transaction = Transaction::new().put(Key::new(name)?, vec![b'x'; VALUE_BYTES]);
    store.commit(transaction).await?;
    Ok(())
}

async fn one_client(store: &RedbStore, commits: usize) -> Outcome {
    let mut times = Vec::with_capacity(commits);
    for index in 0..commits {
        let start = Instant::now();
        put(store, format!("one/{:04}", index * 7_919 % 1_000)).await?;
        times.push(start.elapsed());
    }
    report("1 client", times);
    Ok(())
}

async fn many_clients(store: &Arc<RedbStore>, clients: usize, each: usize) -> Outcome {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let store = Arc::clone(store);
        tasks.push(tokio::spawn(async move {
            for index in 0..each {
                put(&store, format!("many/{client:03}/{:04}", index % 100)).await?;
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let rate = per_second(clients * each, start.elapsed());
    println!("{clients} clients: {rate} commits/s, resident {} KiB", resident_kib()?);
    Ok(())
}

async fn cold_start(path: &Path, entries: usize) -> Outcome {
    let store = open(path)?;
    for chunk in 0..entries / 100 {
        let all = (0..100).try_fold(Transaction::new(), |all, index| {
            let key = Key::new(format!("cold/{:06}", chunk * 100 + index))?;
            Ok::<_, store::KeyError>(all.put(key, vec![b'x'; VALUE_BYTES]))
        })?;
        store.commit(all).await?;
    }
    // A copy of the open file is what a crash leaves.
    let crashed = path.join("crashed");
    fs::create_dir(&crashed)?;
    fs::copy(path.join("state.redb"), crashed.join("state.redb"))?;
    drop(store);
    for (name, path) in [("closed", path), ("crashed", crashed.as_path())] {
        let start = Instant::now();
        let store = open(path)?;
        println!("{entries} entries, {name}: open in {:?}", start.elapsed());
        drop(store);
    }
    Ok(())
}

/// What the disk takes for an append of 4 KiB that is made durable.
fn floor(path: &Path, appends: usize) -> Outcome {
    let mut file = fs::File::create(path)?;
    let mut times = Vec::with_capacity(appends);
    for _ in 0..appends {
        let start = Instant::now();
        file.write_all(&[1; 4_096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    report("append and sync of 4 KiB", times);
    fs::remove_file(path)?;
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
}

fn per_second(count: usize, time: Duration) -> u128 {
    (count as u128) * 1_000_000 / time.as_micros().max(1)
}

fn resident_kib() -> Result<u64, Box<dyn Error + Send + Sync>> {
    let status = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = status.split(' ').nth(1).unwrap_or("0").parse()?;
    Ok(pages * 4)
}
