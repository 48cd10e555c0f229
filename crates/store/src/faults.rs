//! What a [`crate::MemoryStore`] can be told to do wrong. All of it is within the contract.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use crate::{Batch, Transaction};

/// What goes wrong in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitFault {
    /// Nothing.
    #[default]
    None,
    /// The first precondition is reported as broken; nothing is applied. Without preconditions,
    /// nothing goes wrong.
    Conflict,
    /// [`crate::CommitError::Unavailable`]; nothing is applied.
    Unavailable,
    /// It is applied, and answered with [`crate::CommitError::OutcomeUnknown`].
    LostResponse,
    /// It is not applied, and answered with [`crate::CommitError::OutcomeUnknown`].
    LostRequest,
}

/// What goes wrong in a read, or in the beginning of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadFault {
    /// Nothing.
    #[default]
    None,
    /// The store is unavailable.
    Unavailable,
}

/// What goes wrong when a batch is handed to the watchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryFault {
    /// Nothing.
    #[default]
    None,
    /// The batch comes twice.
    Duplicate,
    /// The batch, and all after it, wait until so many further commits have been made, or until
    /// [`crate::MemoryStore::release_watches`].
    Hold {
        /// How many commits.
        commits: usize,
    },
    /// The history is compacted up to this batch and all watches end, without having seen it.
    Compact,
    /// All watches end with [`crate::WatchError::Lagged`], without having seen it.
    Lag,
}

/// Decides what goes wrong. Asked once an operation, in the order in which they take effect, so that
/// a deterministic caller with deterministic faults has a deterministic run. Must not call the store.
pub trait Faults: Send + Sync + Debug {
    /// Asked before a transaction is looked at.
    fn commit(&self, transaction: &Transaction) -> CommitFault {
        let _unused = transaction;
        CommitFault::None
    }

    /// Asked before a read or the beginning of a watch.
    fn read(&self) -> ReadFault {
        ReadFault::None
    }

    /// Asked once for each batch, before it is handed out.
    fn deliver(&self, batch: &Batch) -> DeliveryFault {
        let _unused = batch;
        DeliveryFault::None
    }
}

/// Nothing ever goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {}

/// Faults in a prepared order; nothing goes wrong once they are used up.
#[derive(Debug, Default)]
pub struct FaultScript {
    commits: Mutex<VecDeque<CommitFault>>,
    reads: Mutex<VecDeque<ReadFault>>,
    deliveries: Mutex<VecDeque<DeliveryFault>>,
}

impl FaultScript {
    /// Adds faults for the next commits, one each.
    pub fn commits(&self, faults: impl IntoIterator<Item = CommitFault>) {
        extend(&self.commits, faults);
    }

    /// Adds faults for the next reads and beginnings of watches, one each.
    pub fn reads(&self, faults: impl IntoIterator<Item = ReadFault>) {
        extend(&self.reads, faults);
    }

    /// Adds faults for the next batches, one each.
    pub fn deliveries(&self, faults: impl IntoIterator<Item = DeliveryFault>) {
        extend(&self.deliveries, faults);
    }
}

impl Faults for FaultScript {
    fn commit(&self, _: &Transaction) -> CommitFault {
        pop(&self.commits)
    }

    fn read(&self) -> ReadFault {
        pop(&self.reads)
    }

    fn deliver(&self, _: &Batch) -> DeliveryFault {
        pop(&self.deliveries)
    }
}

fn extend<T>(queue: &Mutex<VecDeque<T>>, faults: impl IntoIterator<Item = T>) {
    queue.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
}

fn pop<T: Default>(queue: &Mutex<VecDeque<T>>) -> T {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or_default()
}
