//! The control plane's state, typed: records in tables over a [`store::Store`], and the projection
//! of them in memory that every read is served from.
//!
//! # Flow
//!
//! A writer reads the [`View`], builds a [`Change`] whose preconditions are what it has read, and
//! gives it to [`State::commit`]. The store decides. One task follows the store's watch and brings
//! the view up to date; `commit` returns when the view shows its revision, so a caller reads what
//! it wrote.
//!
//! # Guarantees
//!
//! - The view is the state at exactly one revision; it never goes back.
//! - Placements on an instance are serialised by its *fence*: every change that reserves
//!   resources on it carries [`Change::fence`].
//!
//! # Limits
//!
//! The store's own: 128 operations and 1.5 MiB a change, 100 kB a record.

mod change;
mod identities;
mod record;
mod subscription;
mod view;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use store::{CommitError, Query, Revision, Span, Store, StoreError, Watch, WatchError};
use tokio::sync::watch;

pub use change::Change;
pub use identities::Identities;
pub use record::{ClientToken, Fence, Record};
pub use subscription::{Subscription, Touched};
pub use view::{Row, View};

/// The state of a control plane.
#[derive(Debug)]
pub struct State {
    store: Arc<dyn Store>,
    view: RwLock<View>,
    applied: watch::Sender<Revision>,
    subscribers: subscription::Subscribers,
}

/// Why the state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Somebody else changed what this change was built on: read again and decide again.
    #[error("the state changed meanwhile at `{key}`: read it again and retry")]
    Conflict {
        /// Key of the record.
        key: String,
    },
    /// The change was perhaps made, perhaps not; look before you repeat it.
    #[error("the store did not answer: whether the change was made is unknown until it is read")]
    OutcomeUnknown(#[source] CommitError),
    /// The store refused or failed.
    #[error("the store did not take the change")]
    Commit(#[source] CommitError),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[source] StoreError),
    /// The store cannot be watched.
    #[error("the store cannot be watched")]
    Watch(#[source] WatchError),
    /// A record is not what its table holds.
    #[error("record `{key}` cannot be read: it was written by another version or is damaged")]
    Record {
        /// Key of the record.
        key: String,
        /// What the decoder says.
        #[source]
        source: serde_json::Error,
    },
    /// A value cannot be written as JSON, or its name cannot be a key.
    #[error("a record of table `{table}` cannot be written: {reason}")]
    Encode {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl State {
    /// Reads everything and begins to follow the store. Call [`State::follow`] in a task of its
    /// own, or commits never return.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or holds a record that cannot be decoded.
    pub async fn open(store: Arc<dyn Store>) -> Result<(Arc<Self>, Follower), StateError> {
        let (view, revision) = load(store.as_ref()).await?;
        let watch = store.watch(Span::all(), revision).await.map_err(StateError::Watch)?;
        let state = Arc::new(Self {
            store,
            view: RwLock::new(view),
            applied: watch::Sender::new(revision),
            subscribers: subscription::Subscribers::default(),
        });
        let follower = Follower { state: Arc::clone(&state), watch };
        Ok((state, follower))
    }

    /// The state as it is now. Keep the guard for computing only: never across an `await`.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change; durable and visible in [`State::view`] when it returns. An empty change
    /// does nothing. After a conflict the view shows what was in the way.
    ///
    /// # Errors
    ///
    /// [`StateError::Conflict`] when a precondition does not hold, and what the store says.
    pub async fn commit(&self, change: Change) -> Result<Revision, StateError> {
        let transaction = change.into_transaction()?;
        if transaction.writes.is_empty() {
            return Ok(*self.applied.borrow());
        }
        match self.store.commit(transaction).await {
            Ok(revision) => {
                self.shows(revision).await;
                Ok(revision)
            }
            // Who reads again must see what was in the way, or fails on it again.
            Err(CommitError::Conflict { key, .. }) => {
                self.shows(self.store.revision()).await;
                Err(StateError::Conflict { key: key.to_string() })
            }
            Err(error @ CommitError::OutcomeUnknown { .. }) => {
                self.shows(self.store.revision()).await;
                Err(StateError::OutcomeUnknown(error))
            }
            Err(
                error @ (CommitError::TooLarge { .. }
                | CommitError::DuplicateKey { .. }
                | CommitError::Unavailable { .. }),
            ) => Err(StateError::Commit(error)),
        }
    }

    async fn shows(&self, revision: Revision) {
        let mut applied = self.applied.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _current = applied.wait_for(|applied| *applied >= revision).await;
    }

    /// The revision that the view shows.
    pub fn revision(&self) -> Revision {
        *self.applied.borrow()
    }

    /// Told of every service and instance that a change touches, from now on. Everything that is
    /// there already counts as touched.
    pub fn subscribe(&self) -> Subscription {
        let view = self.view();
        self.subscribers.add(view.everything())
    }
}

/// Brings the view up to date; see [`Follower::run`].
#[derive(Debug)]
pub struct Follower {
    state: Arc<State>,
    watch: Watch,
}

impl Follower {
    /// Applies what the store's watch brings, until it cannot go on. A watch that fell behind is
    /// replaced by reading everything again.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or holds a record that cannot be decoded: the program must
    /// end, because what it would serve is no longer true.
    pub async fn run(mut self) -> Result<(), StateError> {
        loop {
            match self.watch.next().await {
                Ok(batch) => self.state.apply(&batch)?,
                Err(WatchError::Unavailable { reason }) => {
                    tracing::info!(reason, "the store was closed");
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(%error, "watch ended: reading all state again");
                    self.resynchronise().await?;
                }
            }
        }
    }

    async fn resynchronise(&mut self) -> Result<(), StateError> {
        let store = &self.state.store;
        let (view, revision) = load(store.as_ref()).await?;
        self.watch = store.watch(Span::all(), revision).await.map_err(StateError::Watch)?;
        let touched = view.everything();
        *self.state.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        self.state.applied.send_replace(revision);
        self.state.subscribers.touch(&touched);
        Ok(())
    }
}

impl State {
    fn apply(&self, batch: &store::Batch) -> Result<(), StateError> {
        if batch.revision <= self.revision() {
            return Ok(());
        }
        let mut touched = Vec::new();
        {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            for change in &batch.changes {
                view.apply(change, batch.revision, &mut touched)?;
            }
        }
        self.applied.send_replace(batch.revision);
        self.subscribers.touch(&touched);
        Ok(())
    }
}

async fn load(store: &dyn Store) -> Result<(View, Revision), StateError> {
    let mut view = View::default();
    let mut query = Query::new(Span::all());
    loop {
        let page = store.range(query.clone()).await.map_err(StateError::Read)?;
        for entry in &page.entries {
            view.put(entry, &mut Vec::new())?;
        }
        match query.following(&page) {
            Some(next) => query = next,
            None => {
                view.read_at(page.revision);
                return Ok((view, page.revision));
            }
        }
    }
}

#[cfg(test)]
mod tests;
