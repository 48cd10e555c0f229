//! The log store as nodes see it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use logstore::{Durability, EventRef, LogError, LogStore};
use node_proto::{LogBatch, LogSink, LogSinkError, LogSource, LogTarget};

/// Streams that take batches at the same time, at most.
const LANES: usize = 16;

/// Stores output in the log store of this machine.
#[derive(Debug)]
pub(crate) struct LocalLogs {
    store: Arc<LogStore>,
    /// A batch of a stream is compared with what is stored, and stored, before the next one is.
    lanes: [Mutex<()>; LANES],
}

impl LocalLogs {
    pub(crate) fn new(store: Arc<LogStore>) -> Self {
        Self { store, lanes: std::array::from_fn(|_| Mutex::default()) }
    }

    fn position_of(&self, target: &LogTarget) -> Result<Option<String>, LogError> {
        self.ensure(target)?;
        self.store.source_position(&target.group, &target.stream)
    }

    fn store(&self, target: &LogTarget, batch: LogBatch<'_>) -> Result<(), LogSinkError> {
        let lane = usize::try_from(crc32fast::hash(target.stream.as_bytes())).unwrap_or(0) % LANES;
        let lane =
            self.lanes.get(lane).map(|lane| lane.lock().unwrap_or_else(PoisonError::into_inner));
        let known = match self.store.source_position(&target.group, &target.stream) {
            Ok(known) => known,
            // Somebody deleted the group or the stream while the container runs.
            Err(LogError::GroupNotFound(_) | LogError::StreamNotFound { .. }) => {
                self.ensure(target).map_err(|error| failed(&error))?;
                None
            }
            Err(error) => return Err(failed(&error)),
        };
        if known.is_some() && known.as_deref() != batch.after {
            return Err(LogSinkError::Failed("it has come further than the batch".to_owned()));
        }
        let events: Vec<EventRef<'_>> = batch
            .lines
            .iter()
            .map(|line| EventRef { timestamp_ms: line.timestamp_ms, message: line.message })
            .collect();
        let LogTarget { group, stream } = target;
        let stored = self.store.append(group, stream, &events, batch.position, Durability::Written);
        drop(lane);
        stored.map_err(|error| failed(&error))
    }

    /// Makes group and stream where they do not exist.
    fn ensure(&self, target: &LogTarget) -> Result<(), LogError> {
        match self.store.create_group(&target.group, BTreeMap::new()) {
            Ok(()) | Err(LogError::GroupExists(_)) => {}
            Err(error) => return Err(error),
        }
        match self.store.create_stream(&target.group, &target.stream) {
            Ok(()) | Err(LogError::StreamExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn failed(error: &LogError) -> LogSinkError {
    LogSinkError::Failed(error.to_string())
}

impl LogSink for LocalLogs {
    fn position<'a>(
        &'a self,
        source: &'a LogSource,
    ) -> BoxFuture<'a, Result<Option<String>, LogSinkError>> {
        Box::pin(async {
            // Waits for a copy into the page cache, now and then for a block to be compressed.
            tokio::task::block_in_place(|| self.position_of(&source.target))
                .map_err(|error| failed(&error))
        })
    }

    fn append<'a>(
        &'a self,
        source: &'a LogSource,
        batch: LogBatch<'a>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.store(&source.target, batch)) })
    }
}

#[cfg(test)]
mod tests {
    use node_proto::LogLine;

    use super::*;
    use crate::SystemClock;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_batch_that_comes_twice_is_stored_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(LogStore::open(directory.path(), Arc::new(SystemClock)).unwrap());
        let logs = LocalLogs::new(store);
        let source = LogSource {
            task_id: "t".to_owned(),
            container: "c".to_owned(),
            target: LogTarget { group: "/ecs/g".to_owned(), stream: "ecs/c/t".to_owned() },
        };
        assert_eq!(logs.position(&source).await.unwrap(), None);
        let lines = [LogLine { timestamp_ms: 1, message: b"one" }];
        let batch = LogBatch { after: None, position: "1@0:9", lines: &lines };
        logs.append(&source, batch).await.unwrap();
        assert!(logs.append(&source, batch).await.is_err(), "its answer was lost, it came again");
        assert_eq!(logs.position(&source).await.unwrap().as_deref(), Some("1@0:9"));
        let next = LogBatch { after: Some("1@0:9"), position: "1@0:18", lines: &lines };
        logs.append(&source, next).await.unwrap();
    }
}
