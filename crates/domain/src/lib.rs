//! What the product keeps about clusters, task definitions, services, tasks and container
//! instances, and which changes of them are legal.
//!
//! No wire types, no I/O, no clock. The names are Amazon ECS's own. Where the API returns what a
//! caller gave without the product acting on it, the record keeps a [`Document`]: the wire form,
//! opaque here, which only the service crates read.

mod account_setting;
mod cluster;
mod container_instance;
mod deployment;
mod name;
mod overrides;
mod service;
mod spec;
mod task;
mod task_definition;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use account_setting::{AccountSetting, DEFAULT_PRINCIPAL, SETTING_DEFAULTS};
pub use cluster::{Cluster, ClusterStatus};
pub use container_instance::{ContainerInstance, ContainerInstanceStatus, Resources};
pub use deployment::{
    CircuitBreaker, Deployment, DeploymentStatus, FailureThreshold, RolloutState,
    ServiceDeployment, ServiceDeploymentStatus, ServiceRevision,
};
pub use name::{TaskDefinitionId, group_of_family, group_of_service};
pub use overrides::{ContainerOverride, TaskOverride};
pub use service::{
    DeploymentConfiguration, LaunchType, MAX_SERVICE_EVENTS, PlacementConstraint,
    PlacementStrategy, SchedulingStrategy, Service, ServiceEvent, ServiceStatus,
};
pub use spec::{
    ContainerSpec, DependencyCondition, DependsOn, HealthCheck, LinuxParameters, LogConfiguration,
    MountPoint, NetworkMode, PortMapping, Protocol, RestartPolicy, TaskSpec, Tmpfs, Ulimit, Volume,
};
pub use task::{
    ContainerStatus, DesiredStatus, HealthStatus, NetworkBinding, NewTask, Protection, StopCode,
    Task, TaskContainer, TaskObservation, TaskStatus, TransitionError,
};
pub use task_definition::{TaskDefinition, TaskDefinitionFamily, TaskDefinitionStatus};

/// Tags of a resource: at most 50, keys of 1–128 and values of 0–256 characters (checked by the
/// service crates).
pub type Tags = BTreeMap<String, String>;

/// A part of a resource in wire form, kept so that it is returned as it was given.
///
/// Opaque to everything but the service crate that wrote it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub serde_json::Value);
