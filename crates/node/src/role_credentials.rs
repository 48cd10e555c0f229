//! The credentials of this node's tasks: in memory, as long as their tasks live.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Timestamp};
use node_proto::{
    Assignment, ControlPlane, CredentialError, CredentialRequest, Purpose, RoleCredentials,
};

use crate::live_tasks::LiveTasks;

/// Credentials are renewed when less than a quarter of their life is left, or less than this.
const RENEW_BEFORE_MS: i64 = 15 * 60 * 1000;
/// How often it is looked what must be renewed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);
/// How long the control plane may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Keeps credentials and has them renewed.
#[derive(Debug)]
pub(crate) struct RoleKeeper {
    control_plane: Arc<dyn ControlPlane>,
    clock: Arc<dyn Clock>,
    instance_id: String,
    /// By task; one entry for each task that may have some.
    held: Mutex<BTreeMap<String, Held>>,
}

#[derive(Debug, Clone, Default)]
struct Held {
    credentials: Option<Arc<RoleCredentials>>,
    /// Held while the control plane is asked: many may want the same at once.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl RoleKeeper {
    /// A keeper of nothing.
    pub(crate) fn new(
        control_plane: Arc<dyn ControlPlane>,
        clock: Arc<dyn Clock>,
        instance_id: String,
    ) -> Self {
        Self { control_plane, clock, instance_id, held: Mutex::default() }
    }

    /// Gets what a new task needs. The execution role's session shows that the role can be assumed; whoever
    /// acts with it asks for one of its own.
    ///
    /// # Errors
    ///
    /// As [`ControlPlane::credentials`].
    pub(crate) async fn begin(&self, assignment: &Assignment) -> Result<(), CredentialError> {
        if assignment.spec.execution_role_arn.is_some() {
            self.ask(&assignment.task_id, Purpose::ExecutionRole).await?;
        }
        if assignment.spec.task_role_arn.is_some() {
            self.expect(&assignment.task_id);
            self.current(&assignment.task_id).await?;
        }
        Ok(())
    }

    /// A task is there that has a task role.
    pub(crate) fn expect(&self, task_id: &str) {
        let mut held = self.lock();
        if !held.contains_key(task_id) {
            held.insert(task_id.to_owned(), Held::default());
        }
    }

    /// A task is over: its credentials are wiped.
    pub(crate) fn forget(&self, task_id: &str) {
        self.lock().remove(task_id);
    }

    /// The task role's credentials, asked for when there are none that are still good.
    ///
    /// # Errors
    ///
    /// As [`ControlPlane::credentials`].
    pub(crate) async fn current(
        &self,
        task_id: &str,
    ) -> Result<Arc<RoleCredentials>, CredentialError> {
        self.get(task_id, |credentials, now| now < credentials.expires_at).await
    }

    /// Keeps the credentials of all live tasks good, until it is dropped.
    pub(crate) async fn run(&self, tasks: &LiveTasks) {
        loop {
            for task in tasks.all() {
                let assignment = &task.assignment;
                if assignment.spec.task_role_arn.is_some() {
                    self.renew(&assignment.task_id).await;
                }
            }
            tokio::time::sleep(RENEWAL_INTERVAL).await;
        }
    }

    async fn renew(&self, task_id: &str) {
        if let Err(error) = self.get(task_id, |held, now| !is_due(held, now)).await {
            tracing::warn!(task = task_id, %error, "credentials not renewed: tried again");
        }
    }

    /// What is held, if it is good enough; otherwise new ones.
    async fn get(
        &self,
        task_id: &str,
        good: impl Fn(&RoleCredentials, Timestamp) -> bool,
    ) -> Result<Arc<RoleCredentials>, CredentialError> {
        let find = || {
            let held = self.lock().get(task_id).cloned();
            held.ok_or_else(|| CredentialError::Refused {
                reason: format!("task {task_id} has no task role, or has stopped"),
            })
        };
        let asking = find()?.asking;
        let _asking = asking.lock().await;
        let now = self.clock.now();
        if let Some(credentials) = find()?.credentials.filter(|held| good(held, now)) {
            return Ok(credentials);
        }
        let credentials = Arc::new(self.ask(task_id, Purpose::TaskRole).await?);
        // The task may have ended meanwhile.
        if let Some(held) = self.lock().get_mut(task_id) {
            held.credentials = Some(Arc::clone(&credentials));
        }
        Ok(credentials)
    }

    async fn ask(
        &self,
        task_id: &str,
        purpose: Purpose,
    ) -> Result<RoleCredentials, CredentialError> {
        let (instance_id, task_id) = (self.instance_id.clone(), task_id.to_owned());
        let answer =
            self.control_plane.credentials(CredentialRequest { instance_id, task_id, purpose });
        match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(CredentialError::Unavailable {
                reason: format!("no answer within {} s", ANSWER_LIMIT.as_secs()),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due(credentials: &RoleCredentials, now: Timestamp) -> bool {
    let life_ms = credentials.expires_at.ms_since(credentials.issued_at);
    credentials.expires_at.ms_since(now) < RENEW_BEFORE_MS.max(life_ms / 4)
}
