//! Names and ARNs: callers may give either, everywhere.

use base::{Arn, Scope};
use domain::{Cluster, ClusterStatus, TaskDefinition, TaskDefinitionId, TaskDefinitionStatus};
use state::{Row, View};
use wire::ApiError;

use crate::error::{client_exception, cluster_not_found, invalid_parameter};

/// The cluster of a call that names none.
pub(crate) const DEFAULT_CLUSTER: &str = "default";

/// The cluster's name out of a name, an ARN, or nothing.
pub(crate) fn cluster_name(given: Option<&str>) -> &str {
    let given = given.filter(|given| !given.is_empty()).unwrap_or(DEFAULT_CLUSTER);
    given.rsplit_once(":cluster/").map_or(given, |(_, name)| name)
}

/// The cluster that a call names; it must be ACTIVE.
pub(crate) fn cluster<'a>(
    view: &'a View,
    scope: &Scope,
    given: Option<&str>,
) -> Result<&'a Row<Cluster>, ApiError> {
    if let Some(given) = given.filter(|given| given.starts_with("arn:")) {
        parse_arn(scope, given, "cluster/")?;
    }
    view.cluster(cluster_name(given))
        .filter(|cluster| cluster.status == ClusterStatus::Active)
        .ok_or_else(cluster_not_found)
}

/// The last part of a name or ARN such as `…:task/CLUSTER/ID`, and the cluster in it, if any.
///
/// The old ARN form without the cluster (`…:task/ID`) is understood too.
pub(crate) fn in_cluster<'a>(kind: &str, given: &'a str) -> (Option<&'a str>, &'a str) {
    let resource = if given.starts_with("arn:") {
        given.splitn(6, ':').nth(5).unwrap_or(given)
    } else {
        given
    };
    let path = resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    let path = path.unwrap_or(resource);
    match path.rsplit_once('/') {
        Some((cluster, name)) => (Some(cluster), name),
        None => (None, path),
    }
}

/// The resource of an ARN of this service, account and region that begins with `prefix`.
pub(crate) fn parse_arn<'a>(
    scope: &Scope,
    given: &'a str,
    prefix: &str,
) -> Result<&'a str, ApiError> {
    let not_ours = || {
        invalid_parameter(format!(
            "Invalid identifier: `{given}` is not an ARN of this account and region: expected {}.",
            scope.arn("ecs", format_args!("{prefix}…"))
        ))
    };
    let arn: Arn = given.parse().map_err(|_| not_ours())?;
    let ours = arn.service == "ecs"
        && arn.region == scope.region.as_str()
        && arn.account == scope.account.as_str();
    let resource = given.splitn(6, ':').nth(5).filter(|_| ours);
    resource.and_then(|resource| resource.strip_prefix(prefix)).ok_or_else(not_ours)
}

/// `family`, `family:revision` or an ARN of either; a family alone means its newest ACTIVE
/// revision.
pub(crate) fn task_definition<'a>(
    view: &'a View,
    scope: &Scope,
    given: &str,
) -> Result<&'a Row<TaskDefinition>, ApiError> {
    let name =
        if given.starts_with("arn:") { parse_arn(scope, given, "task-definition/")? } else { given };
    let found = match name.parse::<TaskDefinitionId>() {
        Ok(id) => view.task_definition(&id),
        Err(()) => view
            .revisions_of(name)
            .rev()
            .find(|definition| definition.status == TaskDefinitionStatus::Active),
    };
    found.ok_or_else(|| client_exception("Unable to describe task definition."))
}
