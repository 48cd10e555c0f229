//! What starts tasks: RunTask, StartTask and services.

use api_ecs::ops::{CreateService, UpdateService};
use api_ecs::types::{
    self, CapacityProviderStrategyItem, CreateServiceRequest, NetworkConfiguration,
    ServiceConnectConfiguration, UpdateServiceRequest,
};
use base::Scope;
use policy::Access;
use state::View;
use wire::Operation;

use super::definition::{Meant, TASKS, pass_roles, with_size};
use super::{
    Kind, capacity_provider, cluster_arn, place, posture, service_tags, tag_on_create, with,
    with_flag, with_request_tags, with_tags,
};
use crate::read::amount;
use crate::{EcsContext, arn, name};

/// Who gets the role of a service.
const SERVICES: &str = "ecs.amazonaws.com";

/// What RunTask and StartTask have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starting<'a> {
    pub(crate) cluster: Option<&'a str>,
    pub(crate) task_definition: Option<&'a str>,
    pub(crate) overrides: Option<&'a types::TaskOverride>,
    pub(crate) network: Option<&'a NetworkConfiguration>,
    pub(crate) capacity_providers: Option<&'a [CapacityProviderStrategyItem]>,
    /// Of StartTask.
    pub(crate) container_instances: Option<&'a [String]>,
    pub(crate) tags: Option<&'a [types::Tag]>,
    pub(crate) propagate_tags: Option<&'a types::PropagateTags>,
    pub(crate) enable_ecs_managed_tags: Option<bool>,
    pub(crate) enable_execute_command: Option<bool>,
    pub(crate) has_volumes: bool,
}

/// `Op`, which starts tasks: on the revision, with the roles that the tasks get and their tags.
pub(crate) fn start<Op: Operation>(
    ctx: &EcsContext,
    view: &View,
    starting: &Starting<'_>,
) -> Vec<Access> {
    let scope = &ctx.scope;
    let meant = Meant::find(view, scope, starting.task_definition);
    let mut access = Access::of::<Op>(meant.resource.as_str())
        .with_shown(meant.shown.as_str())
        .with_key("ecs:cluster", cluster_arn(scope, starting.cluster));
    access = with_tags(access, meant.row.map(|row| &row.value.tags));
    access = with_request_tags(access, starting.tags);
    for given in starting.container_instances.unwrap_or_default() {
        let (instance, _) = place(scope, Kind::ContainerInstance, starting.cluster, given);
        access = access.with_key("ecs:container-instances", instance);
    }
    let options = Options {
        capacity_providers: starting.capacity_providers,
        network: starting.network,
        propagate_tags: starting.propagate_tags,
        enable_ecs_managed_tags: Some(starting.enable_ecs_managed_tags.unwrap_or(false)),
        enable_execute_command: Some(starting.enable_execute_command.unwrap_or(false)),
        has_volumes: Some(starting.has_volumes),
    };
    access = options.keys(scope, access);
    access = with_definition(access, &meant, starting.overrides);

    let task = scope.arn("ecs", format_args!("task/{}/*", name::cluster_name(starting.cluster)));
    let tagging = tag_on_create::<Op>(view, &task, starting.tags);
    let roles = pass_roles(scope, roles(&meant, starting.overrides), TASKS);
    std::iter::once(access).chain(roles).chain(tagging).collect()
}

/// The roles that a task gets: those of the overrides, else those of the definition.
fn roles<'a>(
    meant: &Meant<'a>,
    overrides: Option<&'a types::TaskOverride>,
) -> [Option<&'a str>; 2] {
    let spec = meant.row.map(|row| &row.value.spec);
    let task = overrides.and_then(|given| given.task_role_arn.as_deref());
    let execution = overrides.and_then(|given| given.execution_role_arn.as_deref());
    [
        task.or_else(|| spec?.task_role_arn.as_deref()),
        execution.or_else(|| spec?.execution_role_arn.as_deref()),
    ]
}

/// With the keys about what the definition asks for, the overrides applied.
fn with_definition(
    access: Access,
    meant: &Meant<'_>,
    overrides: Option<&types::TaskOverride>,
) -> Access {
    let given = |text: Option<&str>, read: fn(&str) -> Result<u32, wire::ApiError>| {
        text.and_then(|text| read(text).ok())
    };
    let cpu_units = given(overrides.and_then(|given| given.cpu.as_deref()), amount::cpu_units);
    let memory_mib = given(overrides.and_then(|given| given.memory.as_deref()), amount::memory_mib);
    let spec = meant.row.map(|row| &row.value.spec);
    let access = with_size(
        access,
        cpu_units.or_else(|| spec?.cpu_units),
        memory_mib.or_else(|| spec?.memory_mib),
    );
    match spec {
        Some(spec) => posture::spec_keys(access, spec, overrides),
        None => access,
    }
}

/// What may be asked of tasks and services alike.
struct Options<'a> {
    capacity_providers: Option<&'a [CapacityProviderStrategyItem]>,
    network: Option<&'a NetworkConfiguration>,
    propagate_tags: Option<&'a types::PropagateTags>,
    enable_ecs_managed_tags: Option<bool>,
    enable_execute_command: Option<bool>,
    has_volumes: Option<bool>,
}

impl Options<'_> {
    fn keys(&self, scope: &Scope, mut access: Access) -> Access {
        let providers = self.capacity_providers.unwrap_or_default().iter();
        for provider in providers.filter_map(|item| item.capacity_provider.as_deref()) {
            let provider = capacity_provider(scope, provider);
            access = access.with_key("ecs:capacity-provider", provider);
        }
        if let Some(network) = self.network.and_then(|given| given.awsvpc_configuration.as_ref()) {
            for subnet in network.subnets.iter().flatten() {
                access = access.with_key("ecs:subnet", subnet.as_str());
            }
            let public = network.assign_public_ip == Some(types::AssignPublicIp::Enabled);
            access = with_flag(access, "ecs:auto-assign-public-ip", Some(public));
        }
        let propagate = self.propagate_tags.map(types::PropagateTags::as_str);
        access = with(access, "ecs:propagate-tags", propagate);
        access = with_flag(access, "ecs:enable-ecs-managed-tags", self.enable_ecs_managed_tags);
        access = with_flag(access, "ecs:enable-execute-command", self.enable_execute_command);
        with_flag(access, "ecs:enable-ebs-volumes", self.has_volumes)
    }
}

fn with_service_connect(access: Access, given: Option<&ServiceConnectConfiguration>) -> Access {
    let Some(given) = given else { return access };
    let access = with_flag(access, "ecs:enable-service-connect", given.enabled);
    with(access, "ecs:namespace", given.namespace.as_deref())
}

/// A new service, its role and its tags.
pub(crate) fn create_service(
    ctx: &EcsContext,
    view: &View,
    input: &CreateServiceRequest,
) -> Vec<Access> {
    let scope = &ctx.scope;
    let cluster = name::cluster_name(input.cluster.as_deref());
    let service = input.service_name.as_deref().unwrap_or_default();
    let meant = Meant::find(view, scope, input.task_definition.as_deref());
    let mut access = Access::of::<CreateService>(arn::service(scope, cluster, service))
        .with_key("ecs:cluster", cluster_arn(scope, input.cluster.as_deref()))
        .with_key("ecs:task-definition", meant.resource.as_str());
    access = with_tags(access, service_tags(view, cluster, service));
    access = with_request_tags(access, input.tags.as_deref());
    let options = Options {
        capacity_providers: input.capacity_provider_strategy.as_deref(),
        network: input.network_configuration.as_ref(),
        propagate_tags: input.propagate_tags.as_ref(),
        enable_ecs_managed_tags: Some(input.enable_ecs_managed_tags.unwrap_or(false)),
        enable_execute_command: Some(input.enable_execute_command.unwrap_or(false)),
        has_volumes: Some(input.volume_configurations.as_ref().is_some_and(|all| !all.is_empty())),
    };
    access = options.keys(scope, access);
    access = with_service_connect(access, input.service_connect_configuration.as_ref());
    let lattice = input.vpc_lattice_configurations.as_ref().is_some_and(|all| !all.is_empty());
    access = with_flag(access, "ecs:enable-vpc-lattice", Some(lattice));
    access = with_definition(access, &meant, None);

    let tagging = tag_on_create::<CreateService>(view, &access.resource, input.tags.as_deref());
    let role = pass_roles(scope, [input.role.as_deref()], SERVICES);
    std::iter::once(access).chain(role).chain(tagging).collect()
}

/// A change of a service: only what the call names is in the keys.
pub(crate) fn update_service(
    ctx: &EcsContext,
    view: &View,
    input: &UpdateServiceRequest,
) -> Vec<Access> {
    let scope = &ctx.scope;
    let given = input.service.as_deref().unwrap_or_default();
    let mut access =
        super::placed::<UpdateService>(ctx, view, Kind::Service, input.cluster.as_deref(), given);
    let options = Options {
        capacity_providers: input.capacity_provider_strategy.as_deref(),
        network: input.network_configuration.as_ref(),
        propagate_tags: input.propagate_tags.as_ref(),
        enable_ecs_managed_tags: input.enable_ecs_managed_tags,
        enable_execute_command: input.enable_execute_command,
        has_volumes: input.volume_configurations.as_ref().map(|all| !all.is_empty()),
    };
    access = options.keys(scope, access);
    access = with_service_connect(access, input.service_connect_configuration.as_ref());
    let lattice = input.vpc_lattice_configurations.as_ref().map(|all| !all.is_empty());
    access = with_flag(access, "ecs:enable-vpc-lattice", lattice);
    if input.task_definition.is_some() {
        let meant = Meant::find(view, scope, input.task_definition.as_deref());
        access = access.with_key("ecs:task-definition", meant.resource.as_str());
        access = with_definition(access, &meant, None);
    }
    vec![access]
}
