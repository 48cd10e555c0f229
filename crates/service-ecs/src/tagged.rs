//! The resources that have tags, by ARN.

use base::Scope;
use domain::{
    Cluster, ClusterStatus, ContainerInstance, ContainerInstanceStatus, Service, ServiceStatus,
    Tags, Task, TaskDefinition, TaskDefinitionId, TaskDefinitionStatus, TaskStatus,
};
use state::{Change, Row, View};
use wire::ApiError;

use crate::error::{cluster_not_found, invalid_parameter};
use crate::name;

/// A record with tags.
#[derive(Debug)]
pub(crate) enum Tagged<'a> {
    Cluster(&'a Row<Cluster>),
    ContainerInstance(&'a Row<ContainerInstance>),
    Service(&'a Row<Service>),
    Task(&'a Row<Task>),
    TaskDefinition(&'a Row<TaskDefinition>),
}

impl<'a> Tagged<'a> {
    /// The resource of an ARN.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` for another kind of ARN, and for a resource that is not there;
    /// `ClusterNotFoundException` for a cluster.
    pub(crate) fn find(view: &'a View, scope: &Scope, given: &str) -> Result<Self, ApiError> {
        let resource = name::parse_arn(scope, given, "")?;
        let (kind, path) = resource.split_once('/').unwrap_or((resource, ""));
        let (cluster, id) = name::in_cluster(kind, resource);
        // The old form of ARNs, without the cluster, is of the default cluster.
        let cluster = cluster.unwrap_or(name::DEFAULT_CLUSTER);
        let found = match kind {
            "cluster" => {
                let row = view.cluster(path).ok_or_else(cluster_not_found)?;
                Some(Self::Cluster(row))
            }
            "container-instance" => {
                let row = view.instance(id).filter(|row| row.cluster == cluster);
                row.map(Self::ContainerInstance)
            }
            "service" => {
                let row = view.service(cluster, id);
                row.map(Self::Service)
            }
            "task" => view.task(id).filter(|row| row.cluster == cluster).map(Self::Task),
            "task-definition" => {
                let id = path.parse::<TaskDefinitionId>().ok();
                id.and_then(|id| view.task_definition(&id)).map(Self::TaskDefinition)
            }
            _ => {
                return Err(invalid_parameter(format!(
                    "Invalid resource ARN: `{given}` is not a cluster, container instance, service, task or task definition."
                )));
            }
        };
        found.ok_or_else(|| {
            api_ecs::errors::resource_not_found_exception(format!(
                "The specified {} `{given}` was not found.",
                kind.replace('-', " ")
            ))
        })
    }

    /// Refuses what has ended: its tags can no longer be changed.
    pub(crate) fn check_alive(&self) -> Result<(), ApiError> {
        let inactive = |kind: &str, article: &str| {
            Err(invalid_parameter(format!(
                "The specified {kind} is inactive. Specify {article} active {kind} and try again."
            )))
        };
        match self {
            Self::Cluster(row) if row.status == ClusterStatus::Inactive => {
                inactive("cluster", "an")
            }
            Self::ContainerInstance(row) if row.status == ContainerInstanceStatus::Inactive => {
                inactive("container instance", "an")
            }
            Self::Service(row) if row.status == ServiceStatus::Inactive => {
                inactive("service", "an")
            }
            Self::TaskDefinition(row) if row.status != TaskDefinitionStatus::Active => {
                inactive("task definition", "an")
            }
            Self::Task(row) if row.last_status == TaskStatus::Stopped => Err(invalid_parameter(
                "The specified task is stopped. Specify a running task and try again.",
            )),
            Self::Cluster(_)
            | Self::ContainerInstance(_)
            | Self::Service(_)
            | Self::Task(_)
            | Self::TaskDefinition(_) => Ok(()),
        }
    }

    /// Its tags.
    pub(crate) fn tags(&self) -> &'a Tags {
        match self {
            Self::Cluster(row) => &row.value.tags,
            Self::ContainerInstance(row) => &row.value.tags,
            Self::Service(row) => &row.value.tags,
            Self::Task(row) => &row.value.tags,
            Self::TaskDefinition(row) => &row.value.tags,
        }
    }

    /// Writes it with other tags.
    pub(crate) fn update(&self, change: &mut Change, tags: Tags) {
        match self {
            Self::Cluster(row) => {
                change.update(row, &Cluster { tags, ..row.value.as_ref().clone() });
            }
            Self::ContainerInstance(row) => {
                change.update(row, &ContainerInstance { tags, ..row.value.as_ref().clone() });
            }
            Self::Service(row) => {
                change.update(row, &Service { tags, ..row.value.as_ref().clone() });
            }
            Self::Task(row) => change.update(row, &Task { tags, ..row.value.as_ref().clone() }),
            Self::TaskDefinition(row) => {
                change.update(row, &TaskDefinition { tags, ..row.value.as_ref().clone() });
            }
        }
    }
}
