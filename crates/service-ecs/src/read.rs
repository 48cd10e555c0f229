//! From wire types to records.

pub(crate) mod account_setting;
pub(crate) mod amount;
pub(crate) mod attribute;
pub(crate) mod cluster;
pub(crate) mod launch;
pub(crate) mod overrides;
pub(crate) mod placement;
pub(crate) mod service;
pub(crate) mod task_definition;
