//! The ARNs of what ECS keeps.

use base::Scope;
use domain::TaskDefinitionId;

/// `…:cluster/NAME`
pub(crate) fn cluster(scope: &Scope, name: &str) -> String {
    scope.arn("ecs", format_args!("cluster/{name}"))
}

/// `…:container-instance/CLUSTER/ID`
pub(crate) fn container_instance(scope: &Scope, cluster: &str, id: &str) -> String {
    scope.arn("ecs", format_args!("container-instance/{cluster}/{id}"))
}

/// `…:task-definition/FAMILY:REVISION`
pub(crate) fn task_definition(scope: &Scope, id: &TaskDefinitionId) -> String {
    scope.arn("ecs", format_args!("task-definition/{id}"))
}

/// `…:task/CLUSTER/ID`
pub(crate) fn task(scope: &Scope, cluster: &str, id: &str) -> String {
    scope.arn("ecs", format_args!("task/{cluster}/{id}"))
}

/// `…:container/CLUSTER/TASK/ID`
pub(crate) fn container(scope: &Scope, cluster: &str, task: &str, id: &str) -> String {
    scope.arn("ecs", format_args!("container/{cluster}/{task}/{id}"))
}

/// `…:service/CLUSTER/NAME`
pub(crate) fn service(scope: &Scope, cluster: &str, name: &str) -> String {
    scope.arn("ecs", format_args!("service/{cluster}/{name}"))
}

/// `…:service-deployment/CLUSTER/SERVICE/ID`
pub(crate) fn service_deployment(scope: &Scope, cluster: &str, service: &str, id: &str) -> String {
    scope.arn("ecs", format_args!("service-deployment/{cluster}/{service}/{id}"))
}

/// `…:service-revision/CLUSTER/SERVICE/ID`
pub(crate) fn service_revision(scope: &Scope, cluster: &str, service: &str, id: &str) -> String {
    scope.arn("ecs", format_args!("service-revision/{cluster}/{service}/{id}"))
}
