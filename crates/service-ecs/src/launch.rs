//! New standalone tasks: what RunTask and StartTask have in common.

use api_ecs::types;
use domain::{
    Cluster, Document, LaunchType, NewTask, Tags, Task, TaskDefinition, TaskOverride, TaskSpec,
    group_of_family,
};
use state::{Row, View};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::read::{launch, overrides};
use crate::{EcsContext, document, name};

/// The most characters of `startedBy`.
const MAX_STARTED_BY: usize = 128;
/// The most characters of a task group.
const MAX_GROUP: usize = 255;
/// The most tags of a task, propagated ones included.
const MAX_TAGS: usize = 50;

/// What a caller asks for, tags already read.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) cluster: Option<&'a str>,
    pub(crate) task_definition: Option<&'a str>,
    pub(crate) launch_type: LaunchType,
    pub(crate) group: Option<&'a str>,
    pub(crate) started_by: Option<&'a str>,
    pub(crate) overrides: Option<&'a types::TaskOverride>,
    pub(crate) network_configuration: Option<&'a types::NetworkConfiguration>,
    pub(crate) tags: &'a Tags,
    pub(crate) propagate_tags: Option<&'a types::PropagateTags>,
    pub(crate) enable_ecs_managed_tags: bool,
    pub(crate) enable_execute_command: bool,
    pub(crate) client_token: Option<&'a str>,
}

/// An order that can be carried out once there is an instance for it.
#[derive(Debug)]
pub(crate) struct Launch<'v> {
    pub(crate) cluster: &'v Row<Cluster>,
    /// The definition's specification with the overrides applied.
    pub(crate) spec: TaskSpec,
    pub(crate) group: String,
    pub(crate) launch_type: LaunchType,
    definition: &'v Row<TaskDefinition>,
    overrides: TaskOverride,
    overrides_document: Document,
    network_configuration: Option<Document>,
    tags: Tags,
    started_by: Option<String>,
    enable_execute_command: bool,
    client_token: Option<String>,
}

impl<'v> Launch<'v> {
    /// Holds an order against the state.
    pub(crate) fn prepare(
        ctx: &EcsContext,
        view: &'v View,
        order: &Order<'_>,
    ) -> Result<Self, ApiError> {
        let cluster = name::cluster(view, &ctx.scope, order.cluster)?;
        let definition = launch::task_definition(ctx, view, order.task_definition)?;
        let launch_type = order.launch_type;
        launch::check_compatible(&definition.spec, launch_type)?;
        launch::check_network_configuration(
            order.network_configuration,
            &definition.spec,
            launch_type,
        )?;
        let (overrides, overrides_document) =
            overrides::read(order.overrides, &definition.spec, launch_type)?;
        let spec = overrides.apply(&definition.spec);
        Ok(Self {
            cluster,
            group: group(order.group, &definition.id.family)?,
            launch_type,
            tags: tags(order, cluster, definition)?,
            started_by: started_by(order.started_by)?,
            network_configuration: order.network_configuration.map(document::write).transpose()?,
            enable_execute_command: order.enable_execute_command,
            client_token: order.client_token.map(str::to_owned),
            definition,
            overrides,
            overrides_document,
            spec,
        })
    }

    /// A task of it on an instance.
    pub(crate) fn task(&self, ctx: &EcsContext, container_instance: String) -> Task {
        let mut task = NewTask {
            cluster: &self.cluster.name,
            task_definition: &self.definition.id,
            spec: &self.spec,
            group: self.group.clone(),
            launch_type: self.launch_type,
            container_instance,
            now: ctx.now(),
        }
        .accept(ctx.ids.as_ref());
        task.overrides = self.overrides.clone();
        task.overrides_document = self.overrides_document.clone();
        task.started_by.clone_from(&self.started_by);
        task.network_configuration.clone_from(&self.network_configuration);
        task.tags = self.tags.clone();
        task.enable_execute_command = self.enable_execute_command;
        task.client_token.clone_from(&self.client_token);
        task
    }
}

fn group(given: Option<&str>, family: &str) -> Result<String, ApiError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(group_of_family(family));
    };
    if given.chars().count() > MAX_GROUP {
        return Err(invalid_parameter(format!("group can have at most {MAX_GROUP} characters.")));
    }
    if given.starts_with("service:") {
        return Err(invalid_parameter(format!(
            "The group `{given}` is reserved for the tasks of a service: choose one that does not begin with `service:`."
        )));
    }
    Ok(given.to_owned())
}

fn started_by(given: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    if given.chars().count() > MAX_STARTED_BY {
        return Err(invalid_parameter(format!(
            "startedBy can have at most {MAX_STARTED_BY} characters."
        )));
    }
    Ok(Some(given.to_owned()))
}

/// The caller's tags, over those of the task definition where asked, and ECS's own.
fn tags(
    order: &Order<'_>,
    cluster: &Cluster,
    definition: &TaskDefinition,
) -> Result<Tags, ApiError> {
    let mut tags = match order.propagate_tags {
        None | Some(types::PropagateTags::None) => Tags::new(),
        Some(types::PropagateTags::TaskDefinition) => definition.tags.clone(),
        Some(types::PropagateTags::Service | types::PropagateTags::Unrecognized(_)) => {
            return Err(invalid_parameter(
                "propagateTags of a standalone task must be TASK_DEFINITION or NONE.",
            ));
        }
    };
    tags.extend(order.tags.clone());
    if tags.len() > MAX_TAGS {
        return Err(invalid_parameter(format!(
            "The task would have {} tags with those of its task definition: at most {MAX_TAGS} are possible.",
            tags.len()
        )));
    }
    if order.enable_ecs_managed_tags {
        tags.insert("aws:ecs:clusterName".to_owned(), cluster.name.clone());
    }
    Ok(tags)
}
