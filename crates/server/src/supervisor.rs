//! Runs the parts of the program and notices when one ends.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio::task::{AbortHandle, JoinSet};

use crate::error::RunError;

/// Why a part ended with an error.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// The parts of the program, each a task of its own. None may end by itself.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    parts: JoinSet<RunError>,
}

impl Supervisor {
    /// Starts a part that does not fail; `name` is for messages.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.spawn_fallible(name, part.map(Ok))
    }

    /// Starts a part that may fail.
    pub(crate) fn spawn_fallible(
        &mut self,
        name: &'static str,
        part: impl Future<Output = Result<(), Cause>> + Send + 'static,
    ) -> AbortHandle {
        self.parts.spawn(async move {
            match AssertUnwindSafe(part).catch_unwind().await {
                Ok(Ok(())) => RunError::Ended { part: name },
                Ok(Err(source)) => RunError::Failed { part: name, source },
                Err(panic) => RunError::Panicked { part: name, message: message(panic.as_ref()) },
            }
        })
    }

    /// Waits for a part to end by itself. Parts that were aborted do not count.
    pub(crate) async fn ended(&mut self) -> RunError {
        loop {
            match self.parts.join_next().await {
                Some(Ok(error)) => return error,
                // Aborted: its panics were caught.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all parts have ended.
    pub(crate) async fn drained(&mut self) {
        while self.parts.join_next().await.is_some() {}
    }

    /// Ends all parts now.
    pub(crate) async fn shutdown(&mut self) {
        self.parts.shutdown().await;
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_names_its_part_and_its_message() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("patient part", std::future::pending());
        supervisor.spawn_fallible("rash part", async { panic!("no {}", "way") });
        assert_eq!(
            supervisor.ended().await.to_string(),
            "the rash part of the program panicked: no way"
        );
    }

    #[tokio::test]
    async fn an_aborted_part_does_not_count() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("first part", std::future::pending()).abort();
        supervisor.spawn_fallible("second part", async { Err("because".into()) });
        let error = supervisor.ended().await;
        assert_eq!(error.to_string(), "the second part of the program failed");
        assert_eq!(error.source().unwrap().to_string(), "because");
    }
}
