//! Log groups, log streams and log events on disk, and the filter patterns that search them.
//!
//! [`LogStore`] keeps what CloudWatch Logs keeps: groups with a retention and tags, streams in
//! groups, events in streams. The service's operations and the node's log shipper both use it.
//!
//! # On disk
//!
//! | file | holds |
//! |---|---|
//! | `lock` | nothing; locked while a store is open |
//! | `catalog` | groups, streams, their segments and source positions, as of the last checkpoint |
//! | `wal-N` | every change since that checkpoint, framed, checksummed and numbered |
//! | `segments/STREAM-N` | blocks of events of one stream: a header with time bounds, then zstd |
//!
//! A change is acknowledged once it is in the write-ahead log. Events wait in memory (bounded by
//! [`Limits`]) until there are enough for a block. A checkpoint writes all waiting blocks, makes
//! segments durable, starts a new log and replaces the catalog. Opening reads the catalog, cuts
//! each segment back to the length noted there and applies the log again up to its first frame
//! that is not whole. So an acknowledged event is there exactly once after any crash.
//!
//! # Blocking
//!
//! Every call is synchronous and may wait for the disk: an append of [`Durability::Written`]
//! costs a copy into the page cache, one of [`Durability::Fsync`] shares one `fdatasync` with all
//! appends that arrive meanwhile. Async callers use `spawn_blocking`. There are no threads of its
//! own and no timers: somebody calls [`LogStore::sweep`] now and then.

mod block;
mod catalog;
mod codec;
mod error;
pub mod filter;
mod merge;
mod store;
mod wal;

pub use catalog::{GroupInfo, StreamInfo};
pub use error::{BatchError, Damage, LogError};
pub use store::{
    APPEND_LIMIT_BYTES, Direction, Durability, Event, EventRef, FilterQuery, FilteredEvent,
    FilteredPage, GetQuery, GroupPage, Limits, LogStore, Page, Place, PutOutcome, RETENTION_DAYS,
    StreamOrder, StreamPage, StreamQuery, StreamSelection, SweepReport,
};
