//! Everything that is wrong with a request, in one answer.

use wire::ApiError;

use crate::error::client_exception;

/// How many problems one message spells out; the rest is counted.
const MAX_LISTED: usize = 50;

/// What is wrong so far; sentences with a full stop.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem.
    pub(super) fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Adds a problem of one container, in the way ECS begins such sentences.
    pub(super) fn of_container(&mut self, container: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("Invalid setting for container '{container}'. {problem}"));
    }

    /// The value, or its error's message as a problem.
    pub(super) fn take<T>(&mut self, outcome: Result<T, ApiError>) -> Option<T> {
        outcome.map_err(|error| self.push(error.message)).ok()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of `other` too.
    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// `ClientException` with all of them, if there are any.
    pub(super) fn into_result(mut self) -> Result<(), ApiError> {
        if self.0.len() < 2 {
            return self.0.pop().map_or(Ok(()), |only| Err(client_exception(only)));
        }
        let count = self.0.len();
        let listed = self.0.iter().take(MAX_LISTED).enumerate();
        let listed: Vec<String> =
            listed.map(|(index, text)| format!("({}) {text}", index.saturating_add(1))).collect();
        let more = match count.saturating_sub(MAX_LISTED) {
            0 => String::new(),
            more => format!(" And {more} more."),
        };
        Err(client_exception(format!("{count} problems: {}{more}", listed.join(" "))))
    }
}
