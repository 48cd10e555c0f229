//! Calls that did not come over a connection of the gateway's own.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http_body_util::Full;
use identity::Door;

use crate::handle::{self, Arrival, Shared};

/// Takes calls that tasks of other machines make and their nodes bring. It does not keep the gateway
/// going: once that has ended, nothing is answered.
#[derive(Clone)]
pub struct RelayedCalls {
    shared: Weak<Shared>,
}

impl RelayedCalls {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::downgrade(shared) }
    }

    /// Answers a call as if the task at `task_address` of this container instance had made it at its
    /// own machine's link; `None` when the gateway has ended. That there is such a task is the
    /// caller's business, and so is what bodies take up before they are given here.
    pub async fn answer(
        &self,
        container_instance: &str,
        task_address: IpAddr,
        request: http::Request<Bytes>,
    ) -> Option<http::Response<Full<Bytes>>> {
        let shared = self.shared.upgrade()?;
        let door = Door::TaskLink { container_instance: container_instance.into() };
        let arrival = Arrival { peer: task_address, door };
        Some(handle::request(&shared, arrival, request.map(Full::new)).await)
    }
}

impl fmt::Debug for RelayedCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayedCalls").finish_non_exhaustive()
    }
}
