//! One module per operation: what it is authorised on, and what it does.

pub(crate) mod create_cluster;
pub(crate) mod delete_account_setting;
pub(crate) mod delete_attributes;
pub(crate) mod delete_cluster;
pub(crate) mod delete_task_definitions;
pub(crate) mod deregister_container_instance;
pub(crate) mod deregister_task_definition;
pub(crate) mod describe_clusters;
pub(crate) mod describe_container_instances;
pub(crate) mod describe_task_definition;
pub(crate) mod list_account_settings;
pub(crate) mod list_attributes;
pub(crate) mod list_clusters;
pub(crate) mod list_container_instances;
pub(crate) mod list_tags_for_resource;
pub(crate) mod list_task_definition_families;
pub(crate) mod list_task_definitions;
pub(crate) mod put_account_setting;
pub(crate) mod put_account_setting_default;
pub(crate) mod put_attributes;
pub(crate) mod register_task_definition;
pub(crate) mod tag_resource;
pub(crate) mod untag_resource;
pub(crate) mod update_cluster;
pub(crate) mod update_cluster_settings;
pub(crate) mod update_container_instances_state;
