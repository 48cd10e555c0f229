//! What is observed of the product.

use std::sync::Arc;

use domain::{ContainerInstance, Service, Task, TaskDefinition};

use crate::decisions::Decision;

/// Who made a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A call of an operation.
    Call {
        /// Its number; one a call.
        id: u64,
        /// The operation.
        operation: &'static str,
    },
    /// The service reconciler.
    Services,
    /// The link to the nodes.
    NodeLink,
    /// Anything else.
    Other,
}

/// A record that a commit wrote, or deleted (`None`).
#[derive(Debug, Clone)]
pub enum Record {
    /// A task, by id.
    Task(String, Option<Arc<Task>>),
    /// A container instance, by id.
    Instance(String, Option<Arc<ContainerInstance>>),
    /// A revision of a task definition.
    Definition(Arc<TaskDefinition>),
    /// A service, by `CLUSTER/NAME`.
    Service(String, Option<Arc<Service>>),
}

/// What became of a container's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It began.
    Started,
    /// It was sent its stop signal, or killed.
    Signalled,
    /// It ended with this code.
    Exited(i32),
    /// Its health check ended.
    Probed {
        /// Whether it passed.
        passed: bool,
    },
}

/// Something a node's runtime did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerEvent<'a> {
    /// The node's container instance.
    pub node: &'a str,
    /// The task.
    pub task: &'a str,
    /// Name of the container in the definition.
    pub container: &'a str,
    /// Which start.
    pub attempt: u32,
    /// What.
    pub what: What,
}

/// A task's network on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkEvent<'a> {
    /// The node's container instance.
    pub node: &'a str,
    /// The task.
    pub task: &'a str,
    /// Its address, while it has one; `None` when it was taken down.
    pub address: Option<&'a str>,
    /// Ports published on the host.
    pub ports: &'a [u16],
}

/// One thing that was observed.
#[derive(Debug, Clone, Copy)]
pub enum Observation<'a> {
    /// The store took a transaction.
    Committed {
        /// Who made it.
        by: &'a Actor,
        /// What it wrote of what matters here.
        records: &'a [Record],
    },
    /// The service reconciler decided.
    Decided(&'a Decision<'a>),
    /// A call was answered.
    Answered {
        /// Its number.
        call: u64,
        /// Whether the caller was told that the fault was theirs.
        refused: bool,
    },
    /// A node's runtime did something.
    Container(ContainerEvent<'a>),
    /// A task's network changed on a node.
    Network(NetworkEvent<'a>),
}
