//! The operations of Amazon ECS: one file each in `ops/`, registered in one line each here.
//!
//! `read/` turns wire types into domain records, `render/` turns records into wire types; no other
//! module does either.

mod access;
mod arn;
mod client_token;
mod context;
mod document;
mod error;
mod launch;
mod name;
mod ops;
mod page;
mod placements;
mod protection;
mod read;
mod registrations;
mod render;
mod rollout;
mod tag;
mod tagged;

pub use context::EcsContext;
pub use placements::Placements;
pub use registrations::Registrations;

operation::operations! {
    /// Amazon ECS.
    pub struct EcsService(EcsContext) for api_ecs::API, of EcsContext::account {
        api_ecs::ops::CreateCluster => ops::create_cluster,
        api_ecs::ops::CreateService => ops::create_service,
        api_ecs::ops::DeleteAccountSetting => ops::delete_account_setting,
        api_ecs::ops::DeleteAttributes => ops::delete_attributes,
        api_ecs::ops::DeleteCluster => ops::delete_cluster,
        api_ecs::ops::DeleteService => ops::delete_service,
        api_ecs::ops::DeleteTaskDefinitions => ops::delete_task_definitions,
        api_ecs::ops::DeregisterContainerInstance => ops::deregister_container_instance,
        api_ecs::ops::DeregisterTaskDefinition => ops::deregister_task_definition,
        api_ecs::ops::DescribeClusters => ops::describe_clusters,
        api_ecs::ops::DescribeContainerInstances => ops::describe_container_instances,
        api_ecs::ops::DescribeServiceDeployments => ops::describe_service_deployments,
        api_ecs::ops::DescribeServiceRevisions => ops::describe_service_revisions,
        api_ecs::ops::DescribeServices => ops::describe_services,
        api_ecs::ops::DescribeTaskDefinition => ops::describe_task_definition,
        api_ecs::ops::DescribeTasks => ops::describe_tasks,
        api_ecs::ops::GetTaskProtection => ops::get_task_protection,
        api_ecs::ops::ListAccountSettings => ops::list_account_settings,
        api_ecs::ops::ListAttributes => ops::list_attributes,
        api_ecs::ops::ListClusters => ops::list_clusters,
        api_ecs::ops::ListContainerInstances => ops::list_container_instances,
        api_ecs::ops::ListServiceDeployments => ops::list_service_deployments,
        api_ecs::ops::ListServices => ops::list_services,
        api_ecs::ops::ListServicesByNamespace => ops::list_services_by_namespace,
        api_ecs::ops::ListTagsForResource => ops::list_tags_for_resource,
        api_ecs::ops::ListTaskDefinitionFamilies => ops::list_task_definition_families,
        api_ecs::ops::ListTaskDefinitions => ops::list_task_definitions,
        api_ecs::ops::ListTasks => ops::list_tasks,
        api_ecs::ops::PutAccountSetting => ops::put_account_setting,
        api_ecs::ops::PutAccountSettingDefault => ops::put_account_setting_default,
        api_ecs::ops::PutAttributes => ops::put_attributes,
        api_ecs::ops::RegisterTaskDefinition => ops::register_task_definition,
        api_ecs::ops::RunTask => ops::run_task,
        api_ecs::ops::StartTask => ops::start_task,
        api_ecs::ops::StopServiceDeployment => ops::stop_service_deployment,
        api_ecs::ops::StopTask => ops::stop_task,
        api_ecs::ops::TagResource => ops::tag_resource,
        api_ecs::ops::UntagResource => ops::untag_resource,
        api_ecs::ops::UpdateCluster => ops::update_cluster,
        api_ecs::ops::UpdateClusterSettings => ops::update_cluster_settings,
        api_ecs::ops::UpdateContainerInstancesState => ops::update_container_instances_state,
        api_ecs::ops::UpdateService => ops::update_service,
        api_ecs::ops::UpdateTaskProtection => ops::update_task_protection,
    }
}
