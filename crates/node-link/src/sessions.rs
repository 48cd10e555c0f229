//! Which nodes are there, and what each has been told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::IdSource;
use node_proto::DesiredSet;
use state::{Change, State, StateError};
use tokio::sync::watch;
use tokio::time::Instant;

/// A node that has not been heard of for this long is not connected.
const SILENCE: Duration = Duration::from_secs(75);
/// How often that is looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How often a change is tried again when others changed the same record meanwhile.
const MAX_ATTEMPTS: usize = 20;

/// The nodes' sessions with this process.
#[derive(Debug)]
pub(crate) struct Sessions {
    state: Arc<State>,
    ids: Arc<dyn IdSource>,
    nodes: Mutex<BTreeMap<String, Node>>,
}

#[derive(Debug)]
struct Node {
    heard: Instant,
    /// `None`: it was connected to an earlier process and may come back.
    session: Option<(u64, watch::Receiver<Arc<DesiredSet>>)>,
}

impl Sessions {
    /// Expects the nodes that were connected when the last process ended.
    pub(crate) fn new(state: Arc<State>, ids: Arc<dyn IdSource>) -> Self {
        let nodes = {
            let view = state.view();
            let connected = |id: &str| view.instance(id).is_some_and(|row| row.agent_connected);
            view.identities()
                .node_identities()
                .filter(|node| connected(&node.instance_id))
                .map(|node| {
                    (node.instance_id.clone(), Node { heard: Instant::now(), session: None })
                })
                .collect()
        };
        Self { state, ids, nodes: Mutex::new(nodes) }
    }

    /// Begins a session; its number.
    pub(crate) fn begin(
        &self,
        instance_id: &str,
        receiver: watch::Receiver<Arc<DesiredSet>>,
    ) -> u64 {
        let number = self.ids.next_u64();
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let node = Node { heard: Instant::now(), session: Some((number, receiver)) };
        nodes.insert(instance_id.to_owned(), node);
        number
    }

    /// Notes that the node was heard of.
    pub(crate) fn heard(&self, instance_id: &str) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get_mut(instance_id) {
            node.heard = Instant::now();
        }
    }

    /// What the session of this number follows; `None` when the node must register again.
    pub(crate) fn receiver(
        &self,
        instance_id: &str,
        number: u64,
    ) -> Option<watch::Receiver<Arc<DesiredSet>>> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, receiver) = nodes.get(instance_id)?.session.as_ref()?;
        (*known == number).then(|| receiver.clone())
    }

    /// Notes in the state which nodes have fallen silent, until it is dropped.
    pub(crate) async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let silent: Vec<String> = {
                let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
                nodes
                    .extract_if(.., |_, node| node.heard.elapsed() > SILENCE)
                    .map(|(id, _)| id)
                    .collect()
            };
            for instance_id in silent {
                tracing::warn!(instance_id, "the node is not heard of any more");
                self.disconnected(&instance_id).await;
            }
        }
    }

    async fn disconnected(&self, instance_id: &str) {
        for _ in 0..MAX_ATTEMPTS {
            let mut change = Change::new();
            {
                let view = self.state.view();
                let Some(row) = view.instance(instance_id).filter(|row| row.agent_connected) else {
                    return;
                };
                let mut instance = row.value.as_ref().clone();
                instance.agent_connected = false;
                instance.version = instance.version.saturating_add(1);
                change.update(row, &instance);
            }
            match self.state.commit(change).await {
                Ok(_) => return,
                Err(StateError::Conflict { .. }) => {}
                Err(error) => {
                    tracing::error!(instance_id, %error, "cannot note that a node is not connected");
                    return;
                }
            }
        }
    }
}
