//! The audit log: what every call did, on whose behalf, and why it was allowed or not.
//!
//! Records are CloudTrail events, one JSON line each, in a directory of their own outside the store.
//! Every line names its number and the SHA-256 of the line before it; checkpoints, at least one a
//! second while records come in, sign all that is before them with a key of the log's own, and the
//! file `head` says, signed, up to where that has happened. [`verify`] proves from these that no
//! record is missing or changed. Whoever has the key can forge a log, and whoever can write the
//! directory can put an older head and the older log back: keep the head's number that `portcullis
//! audit verify` prints somewhere else to notice that.
//!
//! | file | holds |
//! |---|---|
//! | `key`, `public-key.pem` | the Ed25519 key; the public one is for [`verify`] |
//! | `segment-….jsonl` | the lines that are being written |
//! | `segment-….jsonl.zst` | closed segments |
//! | `head` | the last sealed line, signed |
//! | `pruned` | the last line that was removed when its retention ended, signed |
//!
//! # No call without a record
//!
//! [`AuditLog::reserve`] sets room aside on the disk before a call is performed; without room the
//! call fails. [`Reservation::append`] is done when the record is as durable as asked for. After a
//! failed write or sync, nothing is reserved until the log was looked through and is whole.
//!
//! # Limits
//!
//! A record is at most 256 KiB; requests and answers beyond 100 KiB are left out of it. At most
//! 1,024 records are on their way ([`Config::max_outstanding`]). There are three threads: one writes, one
//! syncs for all who wait, one packs closed segments and removes those whose retention ended.

mod catalog;
mod chain;
mod error;
mod event;
mod findings;
mod flood;
mod key;
mod log;
mod lookup;
mod open;
mod recorder;
mod segment;
mod space;
mod usage;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{AuditError, Break};
pub use event::ServiceEvent;
pub use findings::Findings;
pub use key::PublicKey;
pub use log::{AuditLog, Config, Durability, Entry, Reservation};
pub use lookup::{Attribute, Event, Page, Query, Resource};
pub use recorder::{AuditRecorder, uuid_of};
pub use verify::{Report, verify};
