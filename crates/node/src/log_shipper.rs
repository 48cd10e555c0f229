//! Carries containers' output from their spools into the log store.
//!
//! The log store remembers, with the data, how far it has got in a spool. After a crash of either
//! side the shipper goes on from there: no line is lost and none is stored twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ContainerSpec;
use logstore::{Durability, EventRef, LogError, LogStore};
use node_proto::Assignment;
use runtime_oci::{ContainerId, ContainerOutput, Position, Runtime};
use tokio::task::JoinHandle;

use crate::effects::chain;

/// Output read and stored at once, in bytes.
const BATCH_BYTES: usize = 512 * 1024;
/// Pause before a batch that could not be stored is tried again; the spool keeps it meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Where a container's output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTarget {
    group: String,
    stream: String,
}

impl LogTarget {
    /// As the `awslogs` driver names group and stream, where the definition configures it; else
    /// the service's or family's own group and the prefix `ecs`. Output of other drivers goes
    /// there too: there is no container without logs.
    pub(crate) fn of(assignment: &Assignment, container: &ContainerSpec) -> Self {
        let awslogs = container
            .log_configuration
            .as_ref()
            .filter(|configuration| configuration.log_driver == "awslogs");
        let option = |name: &str| {
            awslogs
                .and_then(|configuration| configuration.options.get(name))
                .filter(|value| !value.is_empty())
                .cloned()
        };
        let prefix = option("awslogs-stream-prefix").unwrap_or_else(|| "ecs".to_owned());
        Self {
            group: option("awslogs-group").unwrap_or_else(|| assignment.default_log_group.clone()),
            stream: format!("{prefix}/{}/{}", container.name, assignment.task_id),
        }
    }
}

/// The shippers of all containers.
#[derive(Debug)]
pub(crate) struct LogShippers {
    store: Arc<LogStore>,
    running: Mutex<BTreeMap<ContainerId, JoinHandle<()>>>,
}

impl LogShippers {
    pub(crate) fn new(store: Arc<LogStore>) -> Self {
        Self { store, running: Mutex::default() }
    }

    /// Begins to ship a container's output, from where the log store has got to.
    pub(crate) fn follow(&self, runtime: &dyn Runtime, id: &ContainerId, target: &LogTarget) {
        let position = match self.position(id, target) {
            Ok(position) => position,
            Err(error) => {
                tracing::error!(container = %id, error = chain(&error), "log stream not readable");
                None
            }
        };
        let output = match runtime.output(id, position) {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(container = %id, error = chain(&error), "output not readable");
                return;
            }
        };
        let shipper =
            Shipper { store: Arc::clone(&self.store), id: id.clone(), target: target.clone() };
        let handle = tokio::spawn(shipper.run(output));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = running.insert(id.clone(), handle) {
            before.abort();
        }
    }

    /// Where the log store has got to in this container's spool; makes group and stream.
    fn position(&self, id: &ContainerId, target: &LogTarget) -> Result<Option<Position>, LogError> {
        ensure(&self.store, target)?;
        let known = self.store.source_position(&target.group, &target.stream)?;
        Ok(known.and_then(|known| parse_position(&id.name, &known)))
    }

    /// Waits until all output of a container is stored, at most `limit`.
    pub(crate) async fn drained(&self, id: &ContainerId, limit: Duration) {
        let handle = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.remove(id)
        };
        let Some(mut handle) = handle else { return };
        if tokio::time::timeout(limit, &mut handle).await.is_err() {
            handle.abort();
            tracing::error!(container = %id, "output not stored within the limit: the rest is lost");
        }
    }

    /// As [`LogShippers::drained`], for every container of a task.
    pub(crate) async fn drained_task(&self, task_id: &str, limit: Duration) {
        let of_task: Vec<ContainerId> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.keys().filter(|id| id.task_id == task_id).cloned().collect()
        };
        for id in of_task {
            self.drained(&id, limit).await;
        }
    }

    /// Stops shipping for a container that never started.
    pub(crate) fn abandon(&self, id: &ContainerId) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = running.remove(id) {
            handle.abort();
        }
    }
}

#[derive(Debug)]
struct Shipper {
    store: Arc<LogStore>,
    id: ContainerId,
    target: LogTarget,
}

impl Shipper {
    async fn run(self, mut output: ContainerOutput) {
        loop {
            match self.ship(&mut output).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(container = %self.id, error, "output waits in its spool");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Ships one batch; `false` after the last.
    async fn ship(&self, output: &mut ContainerOutput) -> Result<bool, String> {
        let Some(batch) = output.next(BATCH_BYTES).await.map_err(|error| chain(&error))? else {
            return Ok(false);
        };
        let next = batch.next();
        let events: Vec<EventRef<'_>> = batch
            .records()
            .map(|record| EventRef { timestamp_ms: record.timestamp_ms, message: record.line })
            .collect();
        let position = format_position(&self.id.name, next);
        // Waits for a copy into the page cache, now and then for a block to be compressed.
        tokio::task::block_in_place(|| self.append(&events, &position))
            .map_err(|error| chain(&error))?;
        output.commit(next).map_err(|error| chain(&error))?;
        Ok(true)
    }

    fn append(&self, events: &[EventRef<'_>], position: &str) -> Result<(), LogError> {
        let LogTarget { group, stream } = &self.target;
        let append = || self.store.append(group, stream, events, position, Durability::Written);
        match append() {
            // Somebody deleted the group or the stream while the container runs.
            Err(LogError::GroupNotFound(_) | LogError::StreamNotFound { .. }) => {
                ensure(&self.store, &self.target)?;
                append()
            }
            outcome => outcome,
        }
    }
}

/// Makes group and stream where they do not exist.
fn ensure(store: &LogStore, target: &LogTarget) -> Result<(), LogError> {
    match store.create_group(&target.group, BTreeMap::new()) {
        Ok(()) | Err(LogError::GroupExists(_)) => {}
        Err(error) => return Err(error),
    }
    match store.create_stream(&target.group, &target.stream) {
        Ok(()) | Err(LogError::StreamExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn format_position(container: &str, position: Position) -> String {
    // A container's name may be as long as a position may be; its start of it tells restarts apart.
    let attempt = container.split('-').next().unwrap_or_default();
    format!("{attempt}@{}:{}", position.segment, position.offset_bytes)
}

/// The position, if it belongs to this start of the container.
fn parse_position(container: &str, text: &str) -> Option<Position> {
    let (attempt, place) = text.split_once('@')?;
    let (segment, offset_bytes) = place.split_once(':')?;
    if container.split('-').next() != Some(attempt) {
        return None;
    }
    Some(Position { segment: segment.parse().ok()?, offset_bytes: offset_bytes.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_belongs_to_one_start_of_the_container() {
        let position = Position { segment: 3, offset_bytes: 99 };
        let text = format_position("2-web", position);
        assert_eq!(parse_position("2-web", &text), Some(position));
        assert_eq!(parse_position("3-web", &text), None);
    }
}
