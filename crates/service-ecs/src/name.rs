//! Names and ARNs: callers may give either, everywhere.

use base::{Arn, Scope};
use domain::{
    Cluster, ClusterStatus, ContainerInstance, Service, ServiceDeployment, TaskDefinition,
    TaskDefinitionId, TaskDefinitionStatus,
};
use state::{Row, View};
use wire::ApiError;

use crate::arn;
use crate::error::{client_exception, cluster_not_found, invalid_parameter};

/// The cluster of a call that names none.
pub(crate) const DEFAULT_CLUSTER: &str = "default";

/// The cluster's name out of a name, an ARN, or nothing.
pub(crate) fn cluster_name(given: Option<&str>) -> &str {
    let given = given.filter(|given| !given.is_empty()).unwrap_or(DEFAULT_CLUSTER);
    given.rsplit_once(":cluster/").map_or(given, |(_, name)| name)
}

/// Whether `name` may be the name of a `kind`: 1–255 letters, digits, underscores and hyphens.
pub(crate) fn check(name: &str, kind: &str) -> Result<(), ApiError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=255).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "Invalid {kind} name `{name}`: use 1 to 255 letters, digits, hyphens and underscores."
    )))
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
    let name = if given.starts_with("arn:") {
        parse_arn(scope, given, "task-definition/")?
    } else {
        given
    };
    let found = match name.parse::<TaskDefinitionId>() {
        Ok(id) => view.task_definition(&id),
        Err(()) => view
            .revisions_of(name)
            .rev()
            .find(|definition| definition.status == TaskDefinitionStatus::Active),
    };
    found.ok_or_else(|| client_exception("Unable to describe task definition."))
}

/// `family:revision` or its ARN; a family alone is not enough.
pub(crate) fn revision(scope: &Scope, given: &str) -> Result<TaskDefinitionId, ApiError> {
    let name = if given.starts_with("arn:") {
        parse_arn(scope, given, "task-definition/")?
    } else {
        given
    };
    name.parse().map_err(|()| {
        let number = name.rsplit_once(':').map_or("null", |(_, revision)| revision);
        client_exception(format!(
            "Invalid revision number. Number: {number}. Give the task definition as family:revision or as an ARN with a revision."
        ))
    })
}

/// The revision that a call changes is not there.
pub(crate) fn no_such_task_definition() -> ApiError {
    client_exception(
        "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
    )
}

/// The instance of a cluster, by id or ARN.
pub(crate) fn container_instance<'a>(
    view: &'a View,
    cluster: &str,
    given: &str,
) -> Option<&'a Row<ContainerInstance>> {
    let (own, id) = in_cluster("container-instance", given);
    let elsewhere = own.is_some_and(|own| own != cluster);
    view.instance(id).filter(|instance| !elsewhere && instance.cluster == cluster)
}

/// The ARN that a call means by `given`, for an instance that may not be there.
pub(crate) fn container_instance_arn(scope: &Scope, cluster: &str, given: &str) -> String {
    if given.starts_with("arn:") {
        return given.to_owned();
    }
    arn::container_instance(scope, cluster, in_cluster("container-instance", given).1)
}

/// A task that a call names: the cluster in its ARN, if any, and its id.
pub(crate) fn task<'a>(
    scope: &Scope,
    given: &'a str,
) -> Result<(Option<&'a str>, &'a str), ApiError> {
    if given.starts_with("arn:") {
        parse_arn(scope, given, "task/")?;
    }
    let (cluster, id) = in_cluster("task", given);
    if matches!(id.len(), 32 | 36) {
        return Ok((cluster, id));
    }
    Err(invalid_parameter("taskId length should be one of [32,36]"))
}

/// The service of a cluster that a call names, whatever its status.
pub(crate) fn service<'a>(
    view: &'a View,
    scope: &Scope,
    cluster: &str,
    given: &str,
) -> Result<Option<&'a Row<Service>>, ApiError> {
    if given.starts_with("arn:") {
        parse_arn(scope, given, "service/")?;
    }
    let (own, name) = in_cluster("service", given);
    let elsewhere = own.is_some_and(|own| own != cluster);
    Ok(view.service(cluster, name).filter(|_| !elsewhere))
}

/// The service deployment of an ARN.
pub(crate) fn service_deployment<'a>(
    view: &'a View,
    scope: &Scope,
    given: &str,
) -> Result<Option<&'a Row<ServiceDeployment>>, ApiError> {
    let path = parse_arn(scope, given, "service-deployment/")?;
    let (service, id) = path.rsplit_once('/').unwrap_or_default();
    let record = view.service_deployment(id);
    Ok(record.filter(|record| service == format!("{}/{}", record.cluster, record.service)))
}
