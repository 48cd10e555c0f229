//! Carries containers' output from their spools into the log store.
//!
//! The log store, here or on the control plane, remembers with the data how far it has got in a
//! spool. After a failure of either side the shipper goes on from there: no line is lost and none is
//! stored twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ContainerSpec;
use node_proto::{Assignment, LogBatch, LogLine, LogSink, LogSinkError, LogSource, LogTarget};
use runtime_oci::{ContainerId, ContainerOutput, Position, Runtime};
use tokio::task::JoinHandle;

use crate::effects::chain;

/// Output read and stored at once, in bytes.
const BATCH_BYTES: usize = 512 * 1024;
/// Pause before a batch that could not be stored is tried again; the spool keeps it meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Whose output this container's is, and where it goes.
pub(crate) fn log_source(assignment: &Assignment, container: &ContainerSpec) -> LogSource {
    LogSource {
        task_id: assignment.task_id.clone(),
        container: container.name.clone(),
        target: LogTarget::of(container, &assignment.default_log_group, &assignment.task_id),
    }
}

/// The shippers of all containers.
#[derive(Debug)]
pub(crate) struct LogShippers {
    sink: Arc<dyn LogSink>,
    running: Mutex<BTreeMap<ContainerId, Running>>,
}

#[derive(Debug)]
struct Running {
    handle: JoinHandle<()>,
    /// Whether the sink could not be reached when it was last tried.
    unreachable: Arc<AtomicBool>,
}

impl LogShippers {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        Self { sink, running: Mutex::default() }
    }

    /// Begins to ship a container's output, from where the log store has got to.
    pub(crate) fn follow(&self, runtime: &Arc<dyn Runtime>, id: &ContainerId, source: LogSource) {
        let unreachable = Arc::new(AtomicBool::new(false));
        let shipper = Shipper {
            sink: Arc::clone(&self.sink),
            runtime: Arc::clone(runtime),
            id: id.clone(),
            source,
            unreachable: Arc::clone(&unreachable),
        };
        let handle = tokio::spawn(shipper.run());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = running.insert(id.clone(), Running { handle, unreachable }) {
            before.handle.abort();
        }
    }

    /// Waits until all output of a container is stored: at most `limit` while the log store can be
    /// reached, and without limit while it cannot.
    pub(crate) async fn drained(&self, id: &ContainerId, limit: Duration) {
        let running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.remove(id)
        };
        let Some(Running { mut handle, unreachable }) = running else { return };
        while tokio::time::timeout(limit, &mut handle).await.is_err() {
            if !unreachable.load(Ordering::Relaxed) {
                handle.abort();
                tracing::error!(container = %id, "output not stored within the limit: the rest is lost");
                return;
            }
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
        if let Some(running) = running.remove(id) {
            running.handle.abort();
        }
    }
}

#[derive(Debug)]
struct Shipper {
    sink: Arc<dyn LogSink>,
    runtime: Arc<dyn Runtime>,
    id: ContainerId,
    source: LogSource,
    unreachable: Arc<AtomicBool>,
}

impl Shipper {
    async fn run(self) {
        while let Err(error) = self.follow().await {
            tracing::error!(container = %self.id, error, "output waits in its spool");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Ships all output from where the log store has got to. An error may hide that a batch was
    /// stored: the next attempt asks anew.
    async fn follow(&self) -> Result<(), String> {
        let told = self.told(self.sink.position(&self.source).await);
        let mut known = told.map_err(|error| error.to_string())?;
        let position = known.as_deref().and_then(|known| parse_position(&self.id.name, known));
        let output = self.runtime.output(&self.id, position);
        let mut output = output.map_err(|error| chain(&error))?;
        while self.ship(&mut output, &mut known).await? {}
        Ok(())
    }

    /// Notes whether the sink was reached.
    fn told<T>(&self, outcome: Result<T, LogSinkError>) -> Result<T, LogSinkError> {
        let unreachable = matches!(outcome, Err(LogSinkError::Unreachable(_)));
        self.unreachable.store(unreachable, Ordering::Relaxed);
        outcome
    }

    /// Ships one batch; `false` after the last.
    async fn ship(
        &self,
        output: &mut ContainerOutput,
        known: &mut Option<String>,
    ) -> Result<bool, String> {
        let Some(batch) = output.next(BATCH_BYTES).await.map_err(|error| chain(&error))? else {
            return Ok(false);
        };
        let next = batch.next();
        let lines: Vec<LogLine<'_>> = batch
            .records()
            .map(|record| LogLine { timestamp_ms: record.timestamp_ms, message: record.line })
            .collect();
        let position = format_position(&self.id.name, next);
        let batch = LogBatch { after: known.as_deref(), position: &position, lines: &lines };
        let stored = self.sink.append(&self.source, batch).await;
        self.told(stored).map_err(|error| error.to_string())?;
        crash_point::crash_point!("node.logs.stored");
        *known = Some(position);
        output.commit(next).map_err(|error| chain(&error))?;
        Ok(true)
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
