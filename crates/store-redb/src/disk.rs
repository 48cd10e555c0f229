//! The redb file: opening, loading, writing, and opening again after the disk was full.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError,
};
use store::{Entry, Key, Revision, Staging};

use crate::OpenError;

const FILE: &str = "state.redb";
/// A store in the making; never holds anything that was acknowledged.
const NEW_FILE: &str = "state.redb.new";
const LOCK_FILE: &str = "state.lock";

/// What the file begins with, by redb's format.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

/// The version of the tables below.
const FORMAT: u64 = 1;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("portcullis_meta");
const META_FORMAT: &str = "format";
const META_REVISION: &str = "revision";
/// Key -> created, modified, value.
const ENTRIES: TableDefinition<'_, &str, (u64, u64, &[u8])> = TableDefinition::new("entries");

/// Pages that redb keeps in memory: those a write touches, as reads never come here.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Opens a database on a file. Tests put a failing disk under it.
pub(crate) type OpenDatabase =
    Box<dyn Fn(&Builder, File) -> Result<Database, DatabaseError> + Send>;

/// Why staged transactions are not known to be durable.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// They are not, for this reason.
    NotApplied(String),
    /// They may be, for this reason.
    Unknown(String),
}

/// The file and who holds it.
pub(crate) struct Disk {
    /// `None` after a failure, until the file is opened again.
    database: Option<Database>,
    open: OpenDatabase,
    directory: PathBuf,
    /// Why nothing can be written until the program is restarted.
    broken: Option<String>,
    /// Locked as long as this lives; released after the database.
    _lock: File,
}

impl Disk {
    /// Opens the file, or makes it, and reads everything.
    pub(crate) fn open(
        directory: &Path,
        open: OpenDatabase,
    ) -> Result<(Self, Revision, Vec<Entry>), OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed("make the directory", directory))?;
        let lock = lock(directory)?;
        let path = directory.join(FILE);
        let file = match open_file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(directory, &open)?;
                open_file(&path).map_err(failed("open", &path))?
            }
            Err(error) => return Err(failed("open", &path)(error)),
        };
        check_magic(&file, &path)?;
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(failed("set the permissions of", &path))?;
        let (database, revision, entries) = read_all(&path, &open, file)?;
        let directory = directory.to_owned();
        let disk = Self { database: Some(database), open, directory, broken: None, _lock: lock };
        Ok((disk, revision, entries))
    }

    /// Makes everything staged durable. After an error, call [`Disk::settle`] before the next write.
    pub(crate) fn write(&mut self, staging: &Staging) -> Result<(), WriteError> {
        let Some(database) = &self.database else {
            return Err(WriteError::NotApplied("its file is closed".to_owned()));
        };
        let error = match prepare(database, staging) {
            Ok(transaction) => match transaction.commit() {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let reason = self.close_after(&error.into());
                    return Err(WriteError::Unknown(reason));
                }
            },
            Err(error) => error,
        };
        Err(WriteError::NotApplied(self.close_after(&error)))
    }

    /// Opens the file again after a failed write. The answer is the revision found on disk, or
    /// `None` when the file was not closed.
    pub(crate) fn settle(&mut self) -> Result<Option<Revision>, String> {
        if let Some(reason) = &self.broken {
            return Err(reason.clone());
        }
        if self.database.is_some() {
            return Ok(None);
        }
        let path = self.directory.join(FILE);
        let file = open_file(&path).map_err(|error| error.to_string())?;
        let database =
            (self.open)(&builder(), file).map_err(|error| self.explain(&error.into()))?;
        let revision = read_revision(&database).map_err(|error| self.explain(&error))?;
        self.database = Some(database);
        Ok(Some(revision))
    }

    /// Writes nothing more until the program is restarted; gives the reason back.
    pub(crate) fn give_up(&mut self, reason: String) -> String {
        self.database = None;
        self.broken = Some(reason.clone());
        reason
    }

    /// redb accepts nothing more after an I/O error, so the file is closed. A full disk can be
    /// cleared; after any other failure it is unknown what the disk holds beneath the operating
    /// system's cache, and only a restart looks at it afresh.
    fn close_after(&mut self, error: &redb::Error) -> String {
        let reason = self.explain(error);
        if is_full(error) {
            self.database = None;
            return reason;
        }
        self.give_up(reason)
    }

    fn explain(&self, error: &redb::Error) -> String {
        let directory = self.directory.display();
        if is_full(error) {
            format!("the disk of `{directory}` is full: free some space ({error})")
        } else {
            format!("the disk of `{directory}` failed: check it, then restart ({error})")
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn is_full(error: &redb::Error) -> bool {
    let redb::Error::Io(error) = error else { return false };
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn prepare(database: &Database, staging: &Staging) -> Result<redb::WriteTransaction, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut entries = transaction.open_table(ENTRIES)?;
        for (key, entry) in staging.changes() {
            match entry {
                Some(entry) => {
                    let row = (entry.created.0, entry.modified.0, &*entry.value);
                    entries.insert(key.as_str(), row)?;
                }
                None => {
                    entries.remove(key.as_str())?;
                }
            }
        }
        transaction.open_table(META)?.insert(META_REVISION, staging.revision().0)?;
    }
    Ok(transaction)
}

fn read_revision(database: &Database) -> Result<Revision, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    let revision = meta.get(META_REVISION)?.map(|value| value.value());
    revision.map(Revision).ok_or_else(|| redb::Error::Corrupted("no revision".to_owned()))
}

/// Opens an existing database and verifies the checksums of all its pages.
fn open_verified(open: &OpenDatabase, file: File) -> Result<Database, redb::Error> {
    let repaired = Arc::new(AtomicBool::new(false));
    let repairing = Arc::clone(&repaired);
    let mut builder = builder();
    builder.set_repair_callback(move |_| repairing.store(true, Ordering::Relaxed));
    let mut database = open(&builder, file)?;
    // The repair after a crash has verified everything already.
    if !repaired.load(Ordering::Relaxed) {
        let before = read_revision(&database)?;
        if !database.check_integrity()? && read_revision(&database)? != before {
            let reason = format!("what revision {before} wrote fails its checksum");
            return Err(redb::Error::Corrupted(reason));
        }
    }
    Ok(database)
}

/// Everything that reads a file of which nothing is known yet. redb trusts what a file says of
/// itself and panics where that is nonsense, as after a disk that lied about syncing.
fn read_all(
    path: &Path,
    open: &OpenDatabase,
    file: File,
) -> Result<(Database, Revision, Vec<Entry>), OpenError> {
    let read = || {
        check_format(path)?;
        let database = open_verified(open, file).map_err(|error| unreadable(path, &error))?;
        let (revision, entries) = load(&database, path)?;
        Ok((database, revision, entries))
    };
    // Nothing that the closure has touched is used after a panic.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_panic| {
        let reason = "its pages contradict each other".to_owned();
        Err(OpenError::Corrupt { path: path.to_owned(), reason })
    })
}

/// Refuses what another program or a newer one has written, without changing the file.
fn check_format(path: &Path) -> Result<(), OpenError> {
    let database = match builder().open_read_only(path) {
        Ok(database) => database,
        // After a crash, redb reads nothing before it has repaired the file.
        Err(DatabaseError::RepairAborted) => return Ok(()),
        Err(error) => return Err(unreadable(path, &error.into())),
    };
    read_format(&database, path)
}

fn read_format(database: &impl ReadableDatabase, path: &Path) -> Result<(), OpenError> {
    let read = database.begin_read().map_err(|error| unreadable(path, &error.into()))?;
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let reason = "a redb file of another program".to_owned();
            return Err(OpenError::Foreign { path: path.to_owned(), reason });
        }
        Err(error) => return Err(unreadable(path, &error.into())),
    };
    let format = meta.get(META_FORMAT).map_err(|error| unreadable(path, &error.into()))?;
    match format.map(|value| value.value()) {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        Some(_) | None => {
            let reason = "it has no format".to_owned();
            Err(OpenError::Corrupt { path: path.to_owned(), reason })
        }
    }
}

fn load(database: &Database, path: &Path) -> Result<(Revision, Vec<Entry>), OpenError> {
    read_format(database, path)?;
    let unreadable = |error: redb::Error| unreadable(path, &error);
    let revision = read_revision(database).map_err(unreadable)?;
    let entries = read_entries(database).map_err(unreadable)?;
    Ok((revision, entries))
}

fn read_entries(database: &Database) -> Result<Vec<Entry>, redb::Error> {
    let table = database.begin_read()?.open_table(ENTRIES)?;
    let mut entries = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        let (created, modified, value) = value.value();
        let key =
            Key::new(key.value()).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
        let value = value.to_vec().into();
        let (created, modified) = (Revision(created), Revision(modified));
        entries.push(Entry { key, value, created, modified });
    }
    Ok(entries)
}

/// Makes an empty store beside its place and moves it there, so that one in its place is complete.
fn create(directory: &Path, open: &OpenDatabase) -> Result<(), OpenError> {
    let new = directory.join(NEW_FILE);
    match fs::remove_file(&new) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove", &new)(error)),
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed("create", &new))?;
    let database = open(&builder(), file).map_err(|error| unreadable(&new, &error.into()))?;
    let begin = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_FORMAT, FORMAT)?;
            meta.insert(META_REVISION, 0)?;
            transaction.open_table(ENTRIES)?;
        }
        Ok(transaction.commit()?)
    };
    begin().map_err(|error| unreadable(&new, &error))?;
    drop(database);
    fs::rename(&new, directory.join(FILE)).map_err(failed("rename", &new))?;
    // The directory may be new itself.
    for directory in [Some(directory), directory.parent()].into_iter().flatten() {
        let sync = File::open(directory).and_then(|directory| directory.sync_all());
        sync.map_err(failed("sync", directory))?;
    }
    Ok(())
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn check_magic(file: &File, path: &Path) -> Result<(), OpenError> {
    let mut start = Vec::new();
    let length = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
    Read::take(file, length).read_to_end(&mut start).map_err(failed("read", path))?;
    if start == MAGIC {
        return Ok(());
    }
    let reason = if start.is_empty() { "it is empty" } else { "it is not a redb file" };
    Err(OpenError::Foreign { path: path.to_owned(), reason: reason.to_owned() })
}

/// Takes the directory's lock, which the kernel releases when this process ends in any way.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            // Read for the message only; what is unreadable stays unnamed.
            let _unnamed = file.take(20).read_to_string(&mut process);
            let process = process.trim();
            let owner = if process.is_empty() {
                "another process".to_owned()
            } else {
                format!("process {process}")
            };
            return Err(OpenError::InUse { directory: directory.to_owned(), owner });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
    }
    let name = format!("{}\n", std::process::id());
    // The name serves a message; on a full disk the store must open all the same.
    let _unnamed = file.set_len(0).and_then(|()| file.write_all(name.as_bytes()));
    Ok(file)
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |error| OpenError::Io { action, path: path.to_owned(), reason: error.to_string() }
}

fn unreadable(path: &Path, error: &redb::Error) -> OpenError {
    let path = path.to_owned();
    if matches!(error, redb::Error::DatabaseAlreadyOpen) {
        let owner = "another program".to_owned();
        return OpenError::InUse { directory: path, owner };
    }
    // redb reports a truncated file as an unexpected end.
    let damaged = |kind| matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData);
    let reason = error.to_string();
    if let redb::Error::Io(error) = &error
        && !damaged(error.kind())
    {
        return OpenError::Io { action: "use", path, reason };
    }
    OpenError::Corrupt { path, reason }
}
