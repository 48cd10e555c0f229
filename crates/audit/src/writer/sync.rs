//! Group commit: one sync for all who wait.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Ack, Shared, failed};
use crate::AuditError;
use crate::chain::Mark;

/// What became of a task.
#[derive(Debug)]
pub(crate) enum Synced {
    Kept,
    Lost,
}

/// A file to be synced.
pub(crate) struct Task {
    pub(crate) file: Arc<File>,
    pub(crate) path: PathBuf,
    pub(crate) epoch: u64,
    /// Who waits for it.
    pub(crate) acks: Vec<Ack>,
    /// What to write as the head, then.
    pub(crate) head: Option<Mark>,
    /// Told last.
    pub(crate) done: Option<Sender<Synced>>,
}

pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Sender<Task>> {
    let (send, tasks) = channel();
    let syncer = std::thread::Builder::new().name("audit syncer".to_owned());
    syncer.spawn(move || run(&shared, &tasks))?;
    Ok(send)
}

fn run(shared: &Shared, tasks: &Receiver<Task>) {
    let mut failed_epoch = None;
    while let Ok(first) = tasks.recv() {
        let mut batch = vec![first];
        // A file that is replaced was synced by its last task, which its writer waits for: all of a
        // batch are of the file of its last one, or synced already.
        while let Ok(task) = tasks.try_recv() {
            batch.push(task);
        }
        let Some(last) = batch.last() else { continue };
        let outcome = if failed_epoch.is_some_and(|failed| failed >= last.epoch) {
            Err(failed("an earlier sync failed"))
        } else {
            last.file.sync_data().map_err(AuditError::io("sync", &last.path))
        };
        let head = batch.iter().rev().find_map(|task| task.head.as_ref());
        let is_sealed = outcome.is_ok() && head.is_none_or(|head| write_head(shared, head));
        let reason = outcome.err().map(|error| error.reason());
        if let Some(reason) = &reason {
            tracing::error!(reason, "audit records cannot be synced: calls are refused");
            failed_epoch = Some(last.epoch);
            shared.space.fail(reason);
        }
        for task in batch {
            for ack in task.acks {
                // The caller may have gone.
                let _told = ack.send(reason.as_ref().map_or(Ok(()), |why| Err(failed(why))));
            }
            if let Some(done) = task.done {
                let synced = if is_sealed { Synced::Kept } else { Synced::Lost };
                let _told = done.send(synced);
            }
        }
    }
}

/// Writes the head; if that fails, it is tried again.
fn write_head(shared: &Shared, head: &Mark) -> bool {
    let outcome = head.write(&shared.directory, Mark::HEAD);
    shared.head_is_behind.store(outcome.is_err(), Ordering::Release);
    if let Err(error) = &outcome {
        tracing::warn!(reason = error.reason(), "the head of the audit log is behind");
    }
    outcome.is_ok()
}
