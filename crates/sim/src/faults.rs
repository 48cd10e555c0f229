//! What the store does wrong: what a script says, and watches that are held back for a time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base::{Clock as _, ManualClock, Timestamp};
use store::{Batch, CommitFault, DeliveryFault, FaultScript, Faults, ReadFault, Transaction};

use crate::executor::lock;

/// See the module.
#[derive(Debug)]
pub(crate) struct StoreFaults {
    clock: Arc<ManualClock>,
    script: Mutex<Arc<FaultScript>>,
    /// Milliseconds since the epoch.
    held_until: AtomicI64,
}

impl StoreFaults {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, script: Mutex::default(), held_until: AtomicI64::new(i64::MIN) }
    }

    pub(crate) fn script(&self) -> Arc<FaultScript> {
        Arc::clone(&lock(&self.script))
    }

    pub(crate) fn hold_until(&self, until: Timestamp) {
        self.held_until.fetch_max(until.as_epoch_ms(), Ordering::Relaxed);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        *lock(&self.script) = Arc::default();
        self.held_until.store(i64::MIN, Ordering::Relaxed);
    }
}

impl Faults for StoreFaults {
    fn commit(&self, transaction: &Transaction) -> CommitFault {
        self.script().commit(transaction)
    }

    fn read(&self) -> ReadFault {
        self.script().read()
    }

    fn deliver(&self, batch: &Batch) -> DeliveryFault {
        if self.clock.now().as_epoch_ms() < self.held_until.load(Ordering::Relaxed) {
            return DeliveryFault::Hold { commits: usize::MAX };
        }
        self.script().deliver(batch)
    }
}
