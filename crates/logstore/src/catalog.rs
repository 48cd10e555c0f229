//! What the store knows about groups and streams, and the file that keeps it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::LogError;
use crate::codec::Summary;

const FILE_NAME: &str = "catalog";
const NEW_FILE_NAME: &str = "catalog.new";
/// Before the JSON: format, length and checksum, so that half a catalog is noticed.
const HEADER_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"PCLOGCT1";

/// Everything that is not events.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// Which log goes on from here.
    pub(crate) wal: u64,
    /// The number of its first frame.
    pub(crate) wal_first_frame: u64,
    pub(crate) next_stream: u64,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) streams: BTreeMap<u64, Stream>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) created_ms: i64,
    pub(crate) retention_days: Option<u32>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) streams: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) last_ingestion_ms: Option<i64>,
    /// Events that are in segments; those in the log come after them.
    pub(crate) next_sequence: u64,
    pub(crate) next_segment: u32,
    pub(crate) source_position: Option<String>,
    pub(crate) segments: Vec<Segment>,
}

/// One file of a stream's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Its place among the stream's segments, counted from 0 and never used again.
    pub(crate) number: u32,
    /// Length of the file in bytes.
    pub(crate) length_bytes: u64,
    /// How many events it holds.
    pub(crate) events: u64,
    /// The earliest timestamp in it, milliseconds since the Unix epoch.
    pub(crate) first_ms: i64,
    /// The latest timestamp in it, milliseconds since the Unix epoch.
    pub(crate) last_ms: i64,
    /// Message bytes plus 26 for each event.
    pub(crate) stored_bytes: u64,
}

impl Segment {
    pub(crate) const fn new(number: u32, summary: &Summary) -> Self {
        Self {
            number,
            length_bytes: 0,
            events: 0,
            first_ms: summary.first_ms,
            last_ms: summary.last_ms,
            stored_bytes: 0,
        }
    }

    pub(crate) fn add(&mut self, summary: &Summary, length_bytes: u64) {
        self.length_bytes += length_bytes;
        self.events += u64::from(summary.count);
        self.first_ms = self.first_ms.min(summary.first_ms);
        self.last_ms = self.last_ms.max(summary.last_ms);
        self.stored_bytes += summary.stored_bytes;
    }
}

/// A change of the catalog, as the log keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    CreateGroup { name: String, created_ms: i64, tags: BTreeMap<String, String> },
    DeleteGroup { name: String },
    SetRetention { name: String, days: Option<u32> },
    SetTags { name: String, tags: BTreeMap<String, String> },
    CreateStream { group: String, name: String, created_ms: i64, stream: u64 },
    DeleteStream { group: String, name: String },
}

/// A log group, as [`crate::LogStore::groups`] describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// When it was created, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// How many days events are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Message bytes plus 26 for each event, in all its streams.
    pub stored_bytes: u64,
}

/// A log stream, as [`crate::LogStore::streams`] describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// When it was created, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// The earliest timestamp of its events; `None` without events.
    pub first_event_ms: Option<i64>,
    /// The latest timestamp of its events; `None` without events.
    pub last_event_ms: Option<i64>,
    /// When events were last added; `None` when none ever were.
    pub last_ingestion_ms: Option<i64>,
    /// Message bytes plus 26 for each event.
    pub stored_bytes: u64,
}

impl Catalog {
    /// Applies a change. Returns the streams that are gone, whose files are of no use any more.
    pub(crate) fn apply(&mut self, change: Change) -> Vec<(u64, Stream)> {
        match change {
            Change::CreateGroup { name, created_ms, tags } => {
                let streams = BTreeMap::new();
                self.groups.insert(name, Group { created_ms, retention_days: None, tags, streams });
                Vec::new()
            }
            Change::DeleteGroup { name } => {
                let streams = self.groups.remove(&name).map(|group| group.streams);
                let streams = streams.unwrap_or_default().into_values();
                streams.filter_map(|id| self.streams.remove_entry(&id)).collect()
            }
            Change::SetRetention { name, days } => {
                if let Some(group) = self.groups.get_mut(&name) {
                    group.retention_days = days;
                }
                Vec::new()
            }
            Change::SetTags { name, tags } => {
                if let Some(group) = self.groups.get_mut(&name) {
                    group.tags = tags;
                }
                Vec::new()
            }
            Change::CreateStream { group, name, created_ms, stream } => {
                self.next_stream = self.next_stream.max(stream.saturating_add(1));
                if let Some(found) = self.groups.get_mut(&group) {
                    found.streams.insert(name.clone(), stream);
                    self.streams.insert(stream, Stream::new(group, name, created_ms));
                }
                Vec::new()
            }
            Change::DeleteStream { group, name } => {
                let group = self.groups.get_mut(&group);
                let id = group.and_then(|group| group.streams.remove(&name));
                id.and_then(|id| self.streams.remove_entry(&id)).into_iter().collect()
            }
        }
    }

    /// Reads the catalog in `directory`; `None` when there is none yet.
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>, LogError> {
        let path = directory.join(FILE_NAME);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => {
                file.read_to_end(&mut bytes).map_err(LogError::io("read", &path))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("open", &path)(error)),
        }
        let damaged =
            |reason: &str| LogError::Catalog { path: path.clone(), reason: reason.into() };
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(damaged("it is too short"));
        };
        let [magic @ .., l0, l1, l2, l3, c0, c1, c2, c3] = *header;
        if magic != MAGIC {
            return Err(damaged("it is not in the format that this version reads"));
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) as usize != body.len()
            || u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(body)
        {
            return Err(damaged("its checksum does not match"));
        }
        match serde_json::from_slice(body) {
            Ok(catalog) => Ok(Some(catalog)),
            Err(error) => Err(damaged(&error.to_string())),
        }
    }

    /// Writes the catalog beside the one in `directory`, durably.
    pub(crate) fn prepare(&self, directory: &Path) -> Result<Prepared, LogError> {
        let path = directory.join(FILE_NAME);
        let invalid = |reason: String| LogError::Catalog { path: path.clone(), reason };
        let body = serde_json::to_vec(self).map_err(|error| invalid(error.to_string()))?;
        let length = u32::try_from(body.len()).map_err(|_| invalid("over 4 GiB".to_owned()))?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&length.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        let prepared = directory.join(NEW_FILE_NAME);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&prepared)
            .map_err(LogError::io("create", &prepared))?;
        file.write_all(&header).map_err(LogError::io("write", &prepared))?;
        file.write_all(&body).map_err(LogError::io("write", &prepared))?;
        file.sync_all().map_err(LogError::io("sync", &prepared))?;
        // The log that the catalog names must be there before the catalog is.
        sync_directory(directory)?;
        Ok(Prepared { directory: directory.to_owned() })
    }
}

/// A catalog that is written and not yet in force.
#[must_use]
pub(crate) struct Prepared {
    directory: PathBuf,
}

impl Prepared {
    /// Puts the catalog in the place of the old one. After an error either may be in force.
    pub(crate) fn commit(self) -> Result<(), LogError> {
        let path = self.directory.join(FILE_NAME);
        std::fs::rename(self.directory.join(NEW_FILE_NAME), &path)
            .map_err(LogError::io("replace", &path))?;
        sync_directory(&self.directory)
    }
}

impl Stream {
    fn new(group: String, name: String, created_ms: i64) -> Self {
        Self {
            group,
            name,
            created_ms,
            last_ingestion_ms: None,
            next_sequence: 0,
            next_segment: 0,
            source_position: None,
            segments: Vec::new(),
        }
    }
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), LogError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(LogError::io("sync", directory))
}

/// Where a segment is kept.
pub(crate) fn segment_path(segments: &Path, stream: u64, number: u32) -> PathBuf {
    segments.join(format!("{stream:016x}-{number:08x}"))
}
