//! Service-linked roles: which services have one, and what became of deletions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use base::AccountId;

/// How many deletions are remembered.
const MAX_DELETIONS: usize = 100;

/// A service with a role of its own in an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkedService {
    /// Its principal.
    pub(crate) service: &'static str,
    /// The name of its role.
    pub(crate) role: &'static str,
    /// ARN of the managed policy of the role.
    pub(crate) policy: &'static str,
    /// What the role is for, when nobody says.
    pub(crate) description: &'static str,
}

const SERVICES: [LinkedService; 1] = [LinkedService {
    service: "ecs.amazonaws.com",
    role: "AWSServiceRoleForECS",
    policy: "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy",
    description: "Role to enable Amazon ECS to manage your cluster.",
}];

/// The service with this principal.
pub(crate) fn service(name: &str) -> Option<&'static LinkedService> {
    SERVICES.iter().find(|known| known.service == name)
}

/// The path of the role of a service.
pub(crate) fn path(service: &str) -> String {
    format!("/aws-service-role/{service}/")
}

/// Who may assume the role of a service: the service.
pub(crate) fn trust_policy(service: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

/// The deletions of service-linked roles that were asked for: the last 100. Roles are deleted at
/// once, so that all of them have succeeded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deletions(Arc<Mutex<VecDeque<(AccountId, String)>>>);

impl Deletions {
    /// Remembers a deletion.
    pub(crate) fn add(&self, account: AccountId, task_id: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DELETIONS {
            known.pop_front();
        }
        known.push_back((account, task_id));
    }

    /// Whether there was such a deletion.
    pub(crate) fn has(&self, account: &AccountId, task_id: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|(owner, known)| owner == account && known == task_id)
    }
}
