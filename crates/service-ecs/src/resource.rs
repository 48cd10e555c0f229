//! The ARNs that calls are authorised on, out of names or ARNs as given.

use base::Scope;
use state::View;

use crate::{arn, name};

/// A task definition: the revision that `family`, `family:revision` or an ARN of either means.
pub(crate) fn task_definition(view: &View, scope: &Scope, given: Option<&str>) -> String {
    let given = given.unwrap_or_default();
    match name::task_definition(view, scope, given) {
        Ok(definition) => arn::task_definition(scope, &definition.id),
        Err(_) if given.starts_with("arn:") => given.to_owned(),
        Err(_) => scope.arn("ecs", format_args!("task-definition/{given}")),
    }
}

/// Something in a cluster: `KIND/CLUSTER/NAME`.
pub(crate) fn in_cluster(scope: &Scope, kind: &str, cluster: Option<&str>, given: &str) -> String {
    if given.starts_with("arn:") {
        return given.to_owned();
    }
    let (own, name) = name::in_cluster(kind, given);
    let cluster = own.unwrap_or_else(|| name::cluster_name(cluster));
    scope.arn("ecs", format_args!("{kind}/{cluster}/{name}"))
}
