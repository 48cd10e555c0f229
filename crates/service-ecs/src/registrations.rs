//! Registrations of task definitions, family by family.
//!
//! Every registration changes its family's revision counter, so that concurrent ones of the same
//! family would conflict and be built anew, over and over. Instead they wait here while one commit
//! of the family is under way, and the next commit takes all of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{TaskDefinition, TaskDefinitionFamily};
use state::{Change, View};
use tokio::sync::oneshot;
use wire::ApiError;

use crate::EcsContext;
use crate::error::server_exception;

/// The most registrations of one commit: each takes two of the store's 128 operations, and the
/// family two more.
const MAX_DEFINITIONS: usize = 60;

/// The most bytes of one commit's records; the store takes 1.5 MiB.
const MAX_BYTES: usize = 1_048_576;

/// How many registrations of one family may wait.
const MAX_WAITING: usize = 1024;

/// The registrations that wait for their family's turn. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct Registrations(Arc<Mutex<BTreeMap<String, VecDeque<Waiting>>>>);

/// A definition without its revision, and who waits for it.
#[derive(Debug)]
struct Waiting {
    definition: TaskDefinition,
    bytes: usize,
    answer: oneshot::Sender<Result<TaskDefinition, ApiError>>,
}

/// Gives the definition its family's next revision; durable when it returns. `bytes` is the size
/// of its record.
///
/// # Errors
///
/// `ServerException` when the store does not take it, or too many wait.
pub(crate) async fn register(
    ctx: &EcsContext,
    definition: TaskDefinition,
    bytes: usize,
) -> Result<TaskDefinition, ApiError> {
    let family = definition.id.family.clone();
    let (answer, answered) = oneshot::channel();
    let waiting = Waiting { definition, bytes, answer };
    let first = ctx.registrations.enter(&family, waiting)?;
    if first {
        // A task of its own: the caller may go away, those who wait for this family may not.
        tokio::spawn(serve(ctx.clone(), family));
    }
    answered.await.unwrap_or_else(|_| Err(server_exception("The registration was given up.")))
}

/// Commits what waits for `family` until nothing does.
async fn serve(ctx: EcsContext, family: String) {
    while let Some(batch) = ctx.registrations.take(&family) {
        let definitions: Vec<&TaskDefinition> = batch.iter().map(|one| &one.definition).collect();
        let outcome = ctx.commit(|view, change| Ok(build(view, change, &definitions))).await;
        match outcome {
            Ok(first_revision) => {
                for (revision, mut one) in (first_revision..).zip(batch) {
                    one.definition.id.revision = revision;
                    // Who asked may be gone; the definition is registered all the same.
                    let _gone = one.answer.send(Ok(one.definition));
                }
            }
            Err(error) => {
                for one in batch {
                    let _gone = one.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Adds the definitions with the family's next revisions; returns the first of those.
fn build(view: &View, change: &mut Change, definitions: &[&TaskDefinition]) -> u32 {
    let Some(family) = definitions.first().map(|definition| &definition.id.family) else {
        return 0;
    };
    let row = view.family(family);
    let first = row.map_or(0, |row| row.last_revision).saturating_add(1);
    let mut last_revision = first;
    for (revision, definition) in (first..).zip(definitions) {
        let mut definition = TaskDefinition::clone(definition);
        definition.id.revision = revision;
        change.create(&definition);
        last_revision = revision;
    }
    change.put(row, &TaskDefinitionFamily { family: family.clone(), last_revision });
    first
}

impl Registrations {
    /// Queues `waiting`; returns whether nobody serves the family yet.
    fn enter(&self, family: &str, waiting: Waiting) -> Result<bool, ApiError> {
        match self.lock().entry(family.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(VecDeque::from([waiting]));
                Ok(true)
            }
            Entry::Occupied(entry) if entry.get().len() >= MAX_WAITING => {
                Err(server_exception(format!(
                    "{MAX_WAITING} registrations of the family `{family}` are waiting already: try again later."
                )))
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().push_back(waiting);
                Ok(false)
            }
        }
    }

    /// The next batch of a family; `None`, and the family is no longer served, when there is none.
    fn take(&self, family: &str) -> Option<Vec<Waiting>> {
        let mut families = self.lock();
        let queue = families.get_mut(family)?;
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        while let Some(next) = queue.front() {
            bytes = bytes.saturating_add(next.bytes);
            if batch.len() >= MAX_DEFINITIONS || (bytes > MAX_BYTES && !batch.is_empty()) {
                break;
            }
            batch.extend(queue.pop_front());
        }
        if batch.is_empty() {
            families.remove(family);
            return None;
        }
        Some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
