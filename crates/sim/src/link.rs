//! Messages between nodes and the control plane, and what may go wrong with them.

use std::sync::Arc;

use base::Timestamp;
use node_proto::{DesiredSet, Registration, TaskReport};

/// From a node. Every request is answered once at most, by its number.
#[derive(Debug, Clone)]
pub(crate) enum Up {
    Register { request: u64, registration: Box<Registration> },
    Poll { request: u64, session: u64, after: u64 },
    Report { request: u64, reports: Vec<TaskReport> },
}

/// To a node.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    Registered {
        request: u64,
        session: u64,
        desired: Arc<DesiredSet>,
    },
    Desired {
        request: u64,
        desired: Option<Arc<DesiredSet>>,
    },
    Reported {
        request: u64,
        taken: bool,
    },
    /// The session is not known: the node has to register again.
    Stranger {
        request: u64,
    },
    Refused {
        request: u64,
        reason: String,
    },
    Unavailable {
        request: u64,
    },
}

impl Down {
    pub(crate) fn request(&self) -> u64 {
        match self {
            Self::Registered { request, .. }
            | Self::Desired { request, .. }
            | Self::Reported { request, .. }
            | Self::Stranger { request }
            | Self::Refused { request, .. }
            | Self::Unavailable { request } => *request,
        }
    }
}

/// A message to a node.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) node: String,
    pub(crate) message: Down,
}

/// What is wrong with a node's link, until when.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LinkFault {
    pub(crate) until: Timestamp,
    /// Nothing gets through.
    pub(crate) cut: bool,
    pub(crate) loss_percent: u64,
    pub(crate) duplicate_percent: u64,
    /// Added to every message, drawn anew each time: this is what reorders.
    pub(crate) delay_ms: i64,
}

impl LinkFault {
    pub(crate) fn at(self, now: Timestamp) -> Self {
        if self.until > now { self } else { Self::default() }
    }
}
