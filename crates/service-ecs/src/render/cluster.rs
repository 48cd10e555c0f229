//! Clusters as they are answered.

use api_ecs::types::{self, ClusterField, ClusterSetting, ClusterSettingName, KeyValuePair};
use domain::{Cluster, ContainerInstanceStatus, LaunchType, ServiceStatus, TaskStatus};
use state::View;

use crate::{EcsContext, arn, document, tag};

/// The answer to a creation: with settings, configuration and tags.
pub(crate) fn created(ctx: &EcsContext, view: &View, cluster: &Cluster) -> types::Cluster {
    let fields = [ClusterField::Settings, ClusterField::Configurations, ClusterField::Tags];
    described(ctx, view, cluster, &fields)
}

/// The answer to a change: with settings and configuration.
pub(crate) fn updated(ctx: &EcsContext, view: &View, cluster: &Cluster) -> types::Cluster {
    described(ctx, view, cluster, &[ClusterField::Settings, ClusterField::Configurations])
}

/// A cluster with the parts in `include`; the others are empty, as ECS leaves them.
pub(crate) fn described(
    ctx: &EcsContext,
    view: &View,
    cluster: &Cluster,
    include: &[ClusterField],
) -> types::Cluster {
    let counts = Counts::of(view, &cluster.name);
    let with = |field: ClusterField| include.contains(&field);
    types::Cluster {
        cluster_arn: Some(arn::cluster(&ctx.scope, &cluster.name)),
        cluster_name: Some(cluster.name.clone()),
        status: Some(cluster.status.as_str().to_owned()),
        registered_container_instances_count: Some(counts.instances),
        running_tasks_count: Some(counts.running.sum()),
        pending_tasks_count: Some(counts.pending.sum()),
        active_services_count: Some(counts.active_services.sum()),
        statistics: Some(match with(ClusterField::Statistics) {
            true => counts.statistics(),
            false => Vec::new(),
        }),
        tags: Some(match with(ClusterField::Tags) {
            true => tag::render(&cluster.tags),
            false => Vec::new(),
        }),
        settings: Some(match with(ClusterField::Settings) {
            true => settings(cluster),
            false => Vec::new(),
        }),
        capacity_providers: Some(
            cluster.capacity_providers.as_ref().map(document::read).unwrap_or_default(),
        ),
        default_capacity_provider_strategy: Some(Vec::new()),
        configuration: cluster
            .configuration
            .as_ref()
            .filter(|_| with(ClusterField::Configurations))
            .map(document::read),
        service_connect_defaults: cluster.service_connect_defaults.as_ref().map(document::read),
        attachments: with(ClusterField::Attachments).then(Vec::new),
        attachments_status: None,
    }
}

/// The settings; the usual ones for a cluster that a node made by joining it.
fn settings(cluster: &Cluster) -> Vec<ClusterSetting> {
    if cluster.settings.0.is_null() {
        return vec![ClusterSetting {
            name: Some(ClusterSettingName::ContainerInsights),
            value: Some("disabled".to_owned()),
        }];
    }
    document::read(&cluster.settings)
}

/// One number for each launch type.
#[derive(Debug, Default)]
struct ByLaunchType {
    ec2: i32,
    fargate: i32,
    external: i32,
}

impl ByLaunchType {
    fn add(&mut self, launch_type: LaunchType) {
        let count = match launch_type {
            LaunchType::Ec2 => &mut self.ec2,
            LaunchType::Fargate => &mut self.fargate,
            LaunchType::External => &mut self.external,
        };
        *count = count.saturating_add(1);
    }

    fn sum(&self) -> i32 {
        self.ec2.saturating_add(self.fargate).saturating_add(self.external)
    }
}

/// What a cluster holds.
#[derive(Debug, Default)]
struct Counts {
    instances: i32,
    running: ByLaunchType,
    pending: ByLaunchType,
    active_services: ByLaunchType,
    draining_services: ByLaunchType,
}

impl Counts {
    fn of(view: &View, cluster: &str) -> Self {
        let mut counts = Self::default();
        for instance in view.instances_of(cluster) {
            if instance.status != ContainerInstanceStatus::Inactive {
                counts.instances = counts.instances.saturating_add(1);
            }
            // By instance, because that index leaves the STOPPED tasks out.
            for task in view.tasks_on(&instance.id) {
                match task.last_status {
                    TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                        counts.pending.add(task.launch_type);
                    }
                    TaskStatus::Running => counts.running.add(task.launch_type),
                    TaskStatus::Deactivating
                    | TaskStatus::Stopping
                    | TaskStatus::Deprovisioning
                    | TaskStatus::Stopped => {}
                }
            }
        }
        for service in view.services_of(cluster) {
            match service.status {
                ServiceStatus::Active => counts.active_services.add(service.launch_type),
                ServiceStatus::Draining => counts.draining_services.add(service.launch_type),
                ServiceStatus::Inactive => {}
            }
        }
        counts
    }

    fn statistics(&self) -> Vec<KeyValuePair> {
        let Self { instances: _, running, pending, active_services, draining_services } = self;
        let named = [
            ("runningEC2TasksCount", running.ec2),
            ("runningFargateTasksCount", running.fargate),
            ("pendingEC2TasksCount", pending.ec2),
            ("pendingFargateTasksCount", pending.fargate),
            ("runningExternalTasksCount", running.external),
            ("pendingExternalTasksCount", pending.external),
            ("activeEC2ServiceCount", active_services.ec2),
            ("activeFargateServiceCount", active_services.fargate),
            ("drainingEC2ServiceCount", draining_services.ec2),
            ("drainingFargateServiceCount", draining_services.fargate),
            ("activeExternalServiceCount", active_services.external),
            ("drainingExternalServiceCount", draining_services.external),
        ];
        let pairs = named.into_iter().map(|(name, count)| KeyValuePair {
            name: Some(name.to_owned()),
            value: Some(count.to_string()),
        });
        pairs.collect()
    }
}
