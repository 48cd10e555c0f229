//! The sessions that tasks act with, and the record of them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::audit::{AuditRecorder, Findings, ServiceEvent, uuid_of};
use base::{Clock, Scope, Timestamp};
use controllers::{RoleUse, TaskSessions};
use futures_util::future::BoxFuture;
use iam::Finding;
use identity::{SessionSpec, TaskBinding, TaskPurpose, role_of_arn};
use node_proto::{CredentialError, LinkError, Purpose, RefusedAttempt, RoleCredentials, Secret};
use operation::ErrorFacts;
use serde_json::{Map, Value, json};
use state::State;

use crate::identities::Identities;
use crate::server::Common;

/// The principal that the roles of tasks trust.
const SERVICE: &str = "ecs-tasks.amazonaws.com";
/// How long a session of a task's role lasts, as in ECS; a node renews it long before.
const LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);

/// Makes sessions of the roles of tasks.
pub(crate) struct RoleSessions {
    state: Arc<State>,
    identities: Identities,
    scope: Scope,
    clock: Arc<dyn Clock>,
    recorder: Arc<AuditRecorder>,
    findings: Arc<dyn Findings>,
}

impl fmt::Debug for RoleSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleSessions").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl RoleSessions {
    /// Sessions of the roles of the account in `scope`.
    pub(crate) fn new(state: &Arc<State>, common: &Common, scope: &Scope) -> Self {
        Self {
            state: Arc::clone(state),
            identities: common.identities.clone(),
            scope: scope.clone(),
            clock: Arc::clone(&common.clock),
            recorder: Arc::clone(&common.audit.recorder),
            findings: Arc::clone(&common.audit.findings),
        }
    }

    fn issue(&self, wanted: &RoleUse, now: Timestamp) -> Result<RoleCredentials, CredentialError> {
        let spec = self.session(wanted, now)?;
        let issued = self.identities.sessions.issue(spec, LIFETIME);
        let issued =
            issued.map_err(|error| CredentialError::Unavailable { reason: error.to_string() })?;
        Ok(RoleCredentials {
            role_arn: wanted.role_arn.clone(),
            access_key_id: issued.access_key_id,
            secret_access_key: Secret::new(issued.secret.expose().to_owned()),
            session_token: Secret::new(issued.session_token),
            issued_at: now,
            expires_at: issued.expires_at,
        })
    }

    /// What the session is to be, if the role trusts the service.
    fn session(&self, wanted: &RoleUse, now: Timestamp) -> Result<SessionSpec, CredentialError> {
        let not_assumable = |reason: String| CredentialError::NotAssumable {
            role_arn: wanted.role_arn.clone(),
            reason,
        };
        let view = self.state.view();
        let role = role_of_arn(&view, &wanted.role_arn)
            .filter(|role| role.account == self.scope.account)
            .ok_or_else(|| {
                not_assumable(format!("account {} has no such role", self.scope.account))
            })?;
        let region = self.scope.region.clone();
        let policies = &self.identities.policies;
        let decision =
            policies.may_service_assume(role, SERVICE, Some(&wanted.task_arn), region, now);
        if !decision.is_allowed() {
            let reason =
                format!("its trust policy does not allow `{SERVICE}` to perform sts:AssumeRole");
            return Err(not_assumable(reason));
        }
        let mut spec = SessionSpec::of_role(role, &wanted.task_id);
        spec.task = Some(TaskBinding {
            task_id: wanted.task_id.clone(),
            task_arn: wanted.task_arn.clone(),
            cluster: wanted.cluster.clone(),
            purpose: match wanted.purpose {
                Purpose::TaskRole => TaskPurpose::TaskRole,
                Purpose::ExecutionRole => TaskPurpose::ExecutionRole,
            },
        });
        Ok(spec)
    }

    fn event(&self, name: &'static str, time: Timestamp) -> ServiceEvent {
        ServiceEvent {
            name,
            source: "ecs.amazonaws.com",
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            who: None,
            source_ip: None,
            resources: Vec::new(),
            details: Map::new(),
            error: None,
            time,
        }
    }

    fn instance_arn(&self, cluster: &str, instance_id: &str) -> String {
        self.scope.arn("ecs", format_args!("container-instance/{cluster}/{instance_id}"))
    }

    fn issue_event(
        &self,
        wanted: &RoleUse,
        outcome: &Result<RoleCredentials, CredentialError>,
        now: Timestamp,
    ) -> ServiceEvent {
        let mut event = self.event("IssueTaskCredentials", now);
        let instance = self.instance_arn(&wanted.cluster, &wanted.instance_id);
        event.resources = vec![wanted.task_arn.clone(), wanted.role_arn.clone(), instance];
        let purpose = match wanted.purpose {
            Purpose::TaskRole => "taskRole",
            Purpose::ExecutionRole => "executionRole",
        };
        event.details = details([
            ("purpose", json!(purpose)),
            ("taskArn", json!(wanted.task_arn)),
            ("roleArn", json!(wanted.role_arn)),
            ("containerInstanceId", json!(wanted.instance_id)),
        ]);
        match outcome {
            Ok(issued) => event.details.extend(details([
                ("accessKeyId", json!(issued.access_key_id)),
                ("expiration", json!(issued.expires_at.to_string())),
            ])),
            Err(error) => {
                let code = match error {
                    CredentialError::Refused { .. } | CredentialError::NotAssumable { .. } => {
                        "AccessDenied"
                    }
                    CredentialError::Unavailable { .. } => "InternalFailure",
                };
                event.error = Some(ErrorFacts { code: code.into(), message: error.to_string() });
            }
        }
        event
    }

    /// DET-004: what a forged request of a server looks like, and what else no SDK sends.
    fn finding(task_arn: &str, attempt: &RefusedAttempt) -> Finding {
        let evidence = [
            ("reason", attempt.reason.as_str().to_owned()),
            ("sourceIPAddress", attempt.source_ip.to_string()),
            ("count", attempt.count.to_string()),
        ];
        Finding {
            id: uuid_of(&format!("DET-004 {task_arn} {}", attempt.reason.as_str())),
            rule: "DET-004".to_owned(),
            severity: "HIGH".to_owned(),
            title: "A task asked for credentials in a way that no SDK does".to_owned(),
            resource: task_arn.to_owned(),
            principal: None,
            evidence: evidence.map(|(name, value)| (name.to_owned(), value)).into(),
            first_seen_at: attempt.first_at,
            last_seen_at: attempt.last_at,
            archived: false,
        }
    }

    /// The record of refused attempts.
    fn refusal_event(
        &self,
        instance_id: &str,
        task_arn: Option<String>,
        attempt: &RefusedAttempt,
    ) -> ServiceEvent {
        let mut event = self.event("RefuseTaskCredentials", self.clock.now());
        event.source_ip = Some(IpAddr::V4(attempt.source_ip));
        event.details = details([
            ("rule", json!("DET-004")),
            ("reason", json!(attempt.reason.as_str())),
            ("count", json!(attempt.count)),
            ("firstSeenAt", json!(attempt.first_at.to_string())),
            ("lastSeenAt", json!(attempt.last_at.to_string())),
            ("containerInstanceId", json!(instance_id)),
            ("taskArn", json!(task_arn)),
        ]);
        event.resources.extend(task_arn);
        let message = format!("refused {} times: {}", attempt.count, attempt.reason.as_str());
        event.error = Some(ErrorFacts { code: "AccessDenied".into(), message });
        event
    }
}

fn details<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl TaskSessions for RoleSessions {
    fn assume<'a>(
        &'a self,
        wanted: &'a RoleUse,
    ) -> BoxFuture<'a, Result<RoleCredentials, CredentialError>> {
        Box::pin(async move {
            let now = self.clock.now();
            let outcome = self.issue(wanted, now);
            let recorded =
                self.recorder.record_event(&self.issue_event(wanted, &outcome, now)).await;
            recorded.map_err(|error| CredentialError::Unavailable { reason: error.to_string() })?;
            outcome
        })
    }

    fn refused<'a>(
        &'a self,
        instance_id: &'a str,
        task_arn: Option<String>,
        attempt: &'a RefusedAttempt,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let event = self.refusal_event(instance_id, task_arn.clone(), attempt);
            let recorded = self.recorder.record_event(&event).await;
            if let Some(task_arn) = &task_arn {
                self.findings.raise(Self::finding(task_arn, attempt));
            }
            recorded.map_err(|error| LinkError::Unavailable { reason: error.to_string() })
        })
    }
}
