//! Entries of `failures[]`.

use api_ecs::types::Failure;
use base::Scope;

use crate::arn;

/// There is no such resource.
pub(crate) fn missing(arn: String) -> Failure {
    Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}

/// An instance that did not take a task.
pub(crate) fn placement(scope: &Scope, cluster: &str, failure: &scheduler::Failure) -> Failure {
    Failure {
        arn: Some(arn::container_instance(scope, cluster, &failure.instance_id)),
        reason: Some(failure.reason.clone()),
        detail: Some(failure.detail.clone()),
    }
}
