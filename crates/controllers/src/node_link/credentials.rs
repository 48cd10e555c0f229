//! What a node may have of a task's identity: that of the tasks placed on it, while they have not stopped.

use std::fmt;

use domain::{Task, TaskStatus};
use futures_util::future::BoxFuture;
use node_proto::{
    CredentialError, CredentialRequest, LinkError, Purpose, RefusedAttempt, RefusedAttempts,
    RoleCredentials, TagsRequest, TaskTags,
};
use state::Row;

use super::NodeLink;

/// A task that is to act with a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUse {
    /// The node that the task is on.
    pub instance_id: String,
    /// 32 hexadecimal digits; the session's name.
    pub task_id: String,
    /// ARN of the task.
    pub task_arn: String,
    /// Name of its cluster.
    pub cluster: String,
    /// ARN of the role, as the task definition or its override says.
    pub role_arn: String,
    /// Which of the task's roles it is.
    pub purpose: Purpose,
}

/// Makes sessions for tasks and keeps the record of it.
pub trait TaskSessions: Send + Sync + fmt::Debug {
    /// A new session of a role, bound to the task. That the task is there was checked. On record when it
    /// returns, whatever came of it.
    ///
    /// # Errors
    ///
    /// [`CredentialError::NotAssumable`] when there is no such role in the account or it does not trust the
    /// service, [`CredentialError::Unavailable`] when it cannot be told now.
    fn assume<'a>(
        &'a self,
        wanted: &'a RoleUse,
    ) -> BoxFuture<'a, Result<RoleCredentials, CredentialError>>;

    /// Takes refused attempts on the endpoint of a task of `instance_id` on record. `task_arn` tells which task
    /// asked; where it is `None`, there is no such task on the node (any more).
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`] when it cannot be recorded now.
    fn refused<'a>(
        &'a self,
        instance_id: &'a str,
        task_arn: Option<String>,
        attempt: &'a RefusedAttempt,
    ) -> BoxFuture<'a, Result<(), LinkError>>;
}

impl NodeLink {
    pub(super) async fn issue(
        &self,
        request: CredentialRequest,
    ) -> Result<RoleCredentials, CredentialError> {
        let wanted = self.role_use(request)?;
        self.sessions.assume(&wanted).await
    }

    fn role_use(&self, request: CredentialRequest) -> Result<RoleUse, CredentialError> {
        let CredentialRequest { instance_id, task_id, purpose } = request;
        let refused = |reason: String| CredentialError::Refused { reason };
        let view = self.state.view();
        // The same words for a task elsewhere and for none: a node learns nothing of others' tasks.
        let task = view
            .task(&task_id)
            .filter(|task| is_on(task, &instance_id))
            .ok_or_else(|| refused(format!("task {task_id} is not on this node")))?;
        if task.last_status == TaskStatus::Stopped {
            return Err(refused(format!("task {task_id} has stopped")));
        }
        let definition = view
            .task_definition(&task.task_definition)
            .ok_or_else(|| refused(format!("the task definition of task {task_id} is gone")))?;
        let (spec, overrides) = (&definition.spec, &task.overrides);
        let (given, otherwise, name) = match purpose {
            Purpose::TaskRole => (&overrides.task_role_arn, &spec.task_role_arn, "task role"),
            Purpose::ExecutionRole => {
                (&overrides.execution_role_arn, &spec.execution_role_arn, "execution role")
            }
        };
        let role_arn = given.as_ref().or(otherwise.as_ref());
        let role_arn =
            role_arn.ok_or_else(|| refused(format!("task {task_id} has no {name}")))?.clone();
        let (task_arn, cluster) = (self.task_arn(task), task.cluster.clone());
        Ok(RoleUse { instance_id, task_id, task_arn, cluster, role_arn, purpose })
    }

    fn task_arn(&self, task: &Task) -> String {
        self.scope.arn("ecs", format_args!("task/{}/{}", task.cluster, task.id))
    }

    pub(super) async fn take_in_refused(&self, attempts: RefusedAttempts) -> Result<(), LinkError> {
        let RefusedAttempts { instance_id, attempts } = attempts;
        for attempt in &attempts {
            let task_arn = {
                let view = self.state.view();
                let task = view.task(&attempt.task_id).filter(|task| is_on(task, &instance_id));
                task.map(|task| self.task_arn(task))
            };
            tracing::warn!(
                container_instance = instance_id,
                task = attempt.task_id,
                source_ip = %attempt.source_ip,
                count = attempt.count,
                reason = attempt.reason.as_str(),
                "a task was refused credentials or metadata"
            );
            self.sessions.refused(&instance_id, task_arn, attempt).await?;
        }
        Ok(())
    }

    pub(super) fn tags_of(&self, request: &TagsRequest) -> Result<TaskTags, LinkError> {
        let view = self.state.view();
        let task = view.task(&request.task_id).filter(|task| is_on(task, &request.instance_id));
        let task = task.ok_or_else(|| LinkError::Refused {
            reason: format!("task {} is not on this node", request.task_id),
        })?;
        let instance = view.instance(&request.instance_id);
        Ok(TaskTags {
            task: task.tags.clone(),
            container_instance: instance.map(|known| known.tags.clone()).unwrap_or_default(),
        })
    }
}

fn is_on(task: &Row<Task>, instance_id: &str) -> bool {
    task.container_instance == instance_id
}
