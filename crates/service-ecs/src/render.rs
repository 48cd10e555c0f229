//! From records to wire types.

pub(crate) mod account_setting;
pub(crate) mod cluster;
pub(crate) mod container_instance;
pub(crate) mod failure;
pub(crate) mod service;
pub(crate) mod service_deployment;
pub(crate) mod service_revision;
pub(crate) mod task;
pub(crate) mod task_definition;
