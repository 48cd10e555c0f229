//! Containers' output on its way to the log store.

use std::fmt;

use domain::{ContainerSpec, Task};
use futures_util::future::BoxFuture;

/// Lines in one batch together with 12 bytes each, at most, in bytes.
pub const MAX_BATCH_BYTES: usize = 2 << 20;

/// A log group and a stream in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// The group's name.
    pub group: String,
    /// The stream's name.
    pub stream: String,
}

impl LogTarget {
    /// As the `awslogs` driver names group and stream, where the definition configures it; else
    /// `default_group` and the prefix `ecs`. Output of other drivers goes there too: there is no
    /// container without logs.
    pub fn of(container: &ContainerSpec, default_group: &str, task_id: &str) -> Self {
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
            group: option("awslogs-group").unwrap_or_else(|| default_group.to_owned()),
            stream: format!("{prefix}/{}/{task_id}", container.name),
        }
    }
}

/// The log group of a task's containers that name none: its service's or its family's.
pub fn default_log_group(task: &Task) -> String {
    format!("/ecs/{}", task.service.as_deref().unwrap_or(&task.task_definition.family))
}

/// Whose output it is, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The task.
    pub task_id: String,
    /// Name of the container in its definition.
    pub container: String,
    /// Where its output goes.
    pub target: LogTarget,
}

/// One line of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// When it was written, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// What was written, without the line's end.
    pub message: &'a [u8],
}

/// Output that is stored as a whole, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBatch<'a> {
    /// The position that the store had before: that of the batch before this one, as
    /// [`LogSink::position`] tells it.
    pub after: Option<&'a str>,
    /// The position behind this batch, at most 256 bytes; means something to the sender only.
    pub position: &'a str,
    /// What was written.
    pub lines: &'a [LogLine<'a>],
}

/// Why output was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogSinkError {
    /// The store is elsewhere and cannot be reached now. What is not stored waits for it.
    #[error("the log store cannot be reached: {0}")]
    Unreachable(String),
    /// The store was reached and did not take it.
    #[error("the log store did not take the output: {0}")]
    Failed(String),
}

/// Takes containers' output and remembers, with it, how far it has got: no line is stored twice.
pub trait LogSink: Send + Sync + fmt::Debug {
    /// The position given with the last batch of this source; `None` before the first. Makes group
    /// and stream where they do not exist.
    ///
    /// # Errors
    /// [`LogSinkError`].
    fn position<'a>(
        &'a self,
        source: &'a LogSource,
    ) -> BoxFuture<'a, Result<Option<String>, LogSinkError>>;

    /// Stores a batch of at most [`MAX_BATCH_BYTES`], unless the store is already further than
    /// `batch.after`.
    ///
    /// # Errors
    /// [`LogSinkError`]; nothing was stored, or its answer was lost: ask for the position.
    fn append<'a>(
        &'a self,
        source: &'a LogSource,
        batch: LogBatch<'a>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>>;
}
