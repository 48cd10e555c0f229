//! The one thread that writes.

use std::sync::Arc;

use store::{CommitError, Revision, Staging, Transaction};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::Shared;
use crate::disk::{Disk, WriteError};

/// The most commits that wait for the writer; more are held back.
pub(crate) const MAX_WAITING: usize = 1_024;
/// The most commits that become durable together.
const MAX_GROUP: usize = 512;

/// A commit that waits for its answer.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) transaction: Transaction,
    pub(crate) reply: oneshot::Sender<Answer>,
    /// Given back when the request is answered.
    pub(crate) room: OwnedSemaphorePermit,
}

type Answer = Result<Revision, CommitError>;

/// Takes the commits that wait, makes them durable together, shows them, answers.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    waiting: mpsc::Receiver<Request>,
    /// Of which it is not known whether it is on disk.
    unsettled: Option<Staging>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, disk: Disk, waiting: mpsc::Receiver<Request>) -> Self {
        Self { shared, disk, waiting, unsettled: None }
    }

    /// Works until the store is dropped.
    pub(crate) fn run(mut self) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        while self.waiting.blocking_recv_many(&mut group, MAX_GROUP) > 0 {
            self.commit(&mut group);
        }
    }

    fn commit(&mut self, group: &mut Vec<Request>) {
        if let Err(reason) = self.settle() {
            for request in group.drain(..) {
                answer(request.reply, Err(CommitError::Unavailable { reason: reason.clone() }));
            }
            return;
        }
        let mut staging = Staging::new(&self.shared.read());
        let mut answers = Vec::with_capacity(group.len());
        for Request { transaction, reply, room } in group.drain(..) {
            answers.push((reply, staging.stage(&self.shared.read(), transaction), room));
        }
        let outcome = if staging.is_empty() { Ok(()) } else { self.make_durable(staging) };
        for (reply, staged, room) in answers {
            let found = match &outcome {
                Ok(()) => staged,
                Err(failure) => Err(failed(staged, failure)),
            };
            answer(reply, found);
            drop(room);
        }
    }

    /// Writes what is staged and shows it, or says why not.
    fn make_durable(&mut self, staging: Staging) -> Result<(), CommitError> {
        match self.disk.write(&staging) {
            Ok(()) => {
                crash_point::crash_point!("store.group.durable");
                self.show(staging);
                Ok(())
            }
            Err(WriteError::NotApplied(reason)) => Err(CommitError::Unavailable { reason }),
            Err(WriteError::Unknown(reason)) => {
                let revision = staging.revision();
                self.unsettled = Some(staging);
                match self.settle() {
                    Ok(()) if self.shared.read().revision() == revision => Ok(()),
                    Ok(()) => Err(CommitError::Unavailable { reason }),
                    Err(_still_closed) => Err(CommitError::OutcomeUnknown { reason }),
                }
            }
        }
    }

    /// After a failure, opens the file again and finds out what became of the unsettled write.
    fn settle(&mut self) -> Result<(), String> {
        let Some(on_disk) = self.disk.settle()? else { return Ok(()) };
        let shown = self.shared.read().revision();
        match self.unsettled.take() {
            Some(staging) if staging.revision() == on_disk => self.show(staging),
            Some(_) | None if on_disk == shown => {}
            Some(_) | None => {
                return Err(self.disk.give_up(format!(
                    "its file is at revision {on_disk} instead of {shown}: restart the program"
                )));
            }
        }
        Ok(())
    }

    /// Lets readers and watchers see what has become durable.
    fn show(&self, staging: Staging) {
        let mut keyspace = self.shared.write();
        for batch in keyspace.apply(staging) {
            keyspace.deliver(&batch);
        }
    }
}

/// What a transaction's client is told when the group it was staged in failed: a conflict may have
/// been one with a transaction that has failed too.
fn failed(staged: Answer, failure: &CommitError) -> CommitError {
    match (staged, failure) {
        (Ok(_), failure) => failure.clone(),
        (Err(CommitError::Conflict { .. }), CommitError::OutcomeUnknown { reason }) => {
            CommitError::Unavailable { reason: reason.clone() }
        }
        (Err(CommitError::Conflict { .. }), failure) => failure.clone(),
        (Err(refused), _) => refused,
    }
}

fn answer(reply: oneshot::Sender<Answer>, found: Answer) {
    // A client that has gone does not hear of it; see the contract.
    let _gone = reply.send(found);
}
