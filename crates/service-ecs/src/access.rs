//! What calls need to be allowed: actions, resources and condition keys, as AWS's Service
//! Authorization Reference has them for Amazon ECS.
//!
//! A resource is always what the call would act on, never the text that it was named by: two
//! spellings of one thing are one thing to a policy. Only ARNs of other accounts are kept, and no
//! identity policy can allow those.
//!
//! Beyond AWS's keys, those of [`posture`] let a policy say what task definitions may ask for.

mod definition;
mod launch;
mod posture;

use api_ecs::types;
use base::{Arn, Scope};
use domain::{DEFAULT_PRINCIPAL, ServiceStatus, Tags};
use policy::{Access, Caller, Denied};
use state::View;
use wire::{ApiError, Operation};

pub(crate) use self::definition::{register_task_definition, task_definition_by_revision};
pub(crate) use self::launch::{Starting, create_service, start, update_service};
use crate::read::account_setting;
use crate::tagged::Tagged;
use crate::{EcsContext, arn, name};

/// How many resources a call may name for each to be decided on: no operation takes more. A longer
/// list is one access to everything, so that it costs nothing to refuse.
const MAX_NAMED: usize = 100;

/// `access` for each of `given`, on everything when there are too many, on `of_none` when none is
/// given: nobody calls unasked.
fn each<'a, Op: Operation>(
    given: &'a [String],
    of_none: impl FnOnce() -> Access,
    access: impl Fn(&'a str) -> Vec<Access>,
) -> Vec<Access> {
    match given.len() {
        0 => vec![of_none()],
        1..=MAX_NAMED => given.iter().flat_map(|one| access(one)).collect(),
        _ => vec![Access::of::<Op>("*")],
    }
}

/// What is named `KIND/CLUSTER/ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ContainerInstance,
    Service,
    Task,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ContainerInstance => "container-instance",
            Self::Service => "service",
            Self::Task => "task",
        }
    }

    fn tags<'v>(self, view: &'v View, cluster: &str, id: &str) -> Option<&'v Tags> {
        match self {
            Self::ContainerInstance => {
                let row = view.instance(id).filter(|row| row.cluster == cluster);
                row.map(|row| &row.value.tags)
            }
            Self::Service => view.service(cluster, id).map(|row| &row.value.tags),
            Self::Task => {
                let row = view.task(id).filter(|row| row.cluster == cluster);
                row.map(|row| &row.value.tags)
            }
        }
    }
}

/// Whether `given` is an ARN of another account.
fn is_elsewhere(scope: &Scope, given: &str) -> bool {
    let arn: Option<Arn> = given.starts_with("arn:").then(|| given.parse().ok()).flatten();
    arn.is_some_and(|arn| !arn.account.is_empty() && arn.account != scope.account.as_str())
}

/// The ARN of the cluster that a call means.
pub(crate) fn cluster_arn(scope: &Scope, given: Option<&str>) -> String {
    match given.filter(|given| is_elsewhere(scope, given)) {
        Some(given) => given.to_owned(),
        None => arn::cluster(scope, name::cluster_name(given)),
    }
}

/// `Op` on a cluster.
pub(crate) fn cluster<Op: Operation>(ctx: &EcsContext, given: Option<&str>) -> Access {
    let access = Access::of::<Op>(cluster_arn(&ctx.scope, given));
    if given.is_some_and(|given| is_elsewhere(&ctx.scope, given)) {
        return access;
    }
    let view = ctx.state.view();
    with_tags(access, view.cluster(name::cluster_name(given)).map(|row| &row.value.tags))
}

/// `Op` on clusters; on the default one when none is given.
pub(crate) fn clusters<Op: Operation>(ctx: &EcsContext, given: Option<&[String]>) -> Vec<Access> {
    let default = || cluster::<Op>(ctx, None);
    each::<Op>(given.unwrap_or_default(), default, |one| vec![cluster::<Op>(ctx, Some(one))])
}

/// The ARN of something in a cluster, with its cluster and its id when it is of this account.
fn place<'a>(
    scope: &Scope,
    kind: Kind,
    cluster: Option<&'a str>,
    given: &'a str,
) -> (String, Option<(&'a str, &'a str)>) {
    if is_elsewhere(scope, given) {
        return (given.to_owned(), None);
    }
    let (own, id) = name::in_cluster(kind.as_str(), given);
    let cluster = own.unwrap_or_else(|| name::cluster_name(cluster));
    let arn = scope.arn("ecs", format_args!("{}/{cluster}/{id}", kind.as_str()));
    (arn, Some((cluster, id)))
}

/// `Op` on something in a cluster, which is in the key `ecs:cluster`.
pub(crate) fn in_cluster<Op: Operation>(
    ctx: &EcsContext,
    kind: Kind,
    cluster: Option<&str>,
    given: &str,
) -> Access {
    placed::<Op>(ctx, &ctx.state.view(), kind, cluster, given)
}

fn placed<Op: Operation>(
    ctx: &EcsContext,
    view: &View,
    kind: Kind,
    cluster: Option<&str>,
    given: &str,
) -> Access {
    let (resource, place) = place(&ctx.scope, kind, cluster, given);
    let access = Access::of::<Op>(resource);
    match place {
        Some((cluster, id)) => {
            let access = access.with_key("ecs:cluster", arn::cluster(&ctx.scope, cluster));
            with_tags(access, kind.tags(view, cluster, id))
        }
        None => access,
    }
}

/// `Op` on each of `given`; on all of the cluster when none is.
pub(crate) fn each_in_cluster<Op: Operation>(
    ctx: &EcsContext,
    kind: Kind,
    cluster: Option<&str>,
    given: Option<&[String]>,
) -> Vec<Access> {
    let view = ctx.state.view();
    let on = |one: &str| placed::<Op>(ctx, &view, kind, cluster, one);
    each::<Op>(given.unwrap_or_default(), || on("*"), |one| vec![on(one)])
}

/// `Op` on the parts of services, `KIND/CLUSTER/SERVICE/ID`, and on their services: AWS asks for
/// both.
pub(crate) fn parts_of_services<Op: Operation>(
    ctx: &EcsContext,
    kind: &str,
    given: &[String],
) -> Vec<Access> {
    let view = ctx.state.view();
    let all = || Access::of::<Op>(ctx.scope.arn("ecs", format_args!("{kind}/*")));
    each::<Op>(given, all, |given| {
        let Ok(path) = name::parse_arn(&ctx.scope, given, &format!("{kind}/")) else {
            return vec![Access::of::<Op>(given)];
        };
        let path = path.rsplit_once('/').map_or(path, |(service, _)| service);
        let (cluster, service) = path.split_once('/').unwrap_or(("", path));
        let service_arn = arn::service(&ctx.scope, cluster, service);
        let tags = view.service(cluster, service).map(|row| &row.value.tags);
        let cluster_arn = arn::cluster(&ctx.scope, cluster);
        vec![
            Access::of::<Op>(canonical(&ctx.scope, given))
                .with_key("ecs:cluster", cluster_arn.as_str())
                .with_key("ecs:service", service_arn.as_str()),
            with_tags(Access::of::<Op>(service_arn).with_key("ecs:cluster", cluster_arn), tags),
        ]
    })
}

/// `given`, as this service writes ARNs of its own.
fn canonical(scope: &Scope, given: &str) -> String {
    match name::parse_arn(scope, given, "") {
        Ok(resource) => scope.arn("ecs", resource),
        Err(_) => given.to_owned(),
    }
}

/// `Op` on a resource that may have tags, by ARN.
pub(crate) fn tagged<Op: Operation>(ctx: &EcsContext, given: Option<&str>) -> Access {
    let given = given.unwrap_or_default();
    let resource = match name::parse_arn(&ctx.scope, given, "") {
        // The old form without the cluster is one in the default cluster.
        Ok(resource) => match resource.split_once('/') {
            Some((kind @ ("container-instance" | "service" | "task"), id)) if !id.contains('/') => {
                let cluster = name::DEFAULT_CLUSTER;
                ctx.scope.arn("ecs", format_args!("{kind}/{cluster}/{id}"))
            }
            Some(_) | None => ctx.scope.arn("ecs", resource),
        },
        Err(_) => given.to_owned(),
    };
    let view = ctx.state.view();
    let found = Tagged::find(&view, &ctx.scope, given).ok();
    with_tags(Access::of::<Op>(resource), found.map(|found| found.tags()))
}

/// `Op` on nothing in particular, with the setting's name.
pub(crate) fn account_setting<Op: Operation>(name: Option<&types::SettingName>) -> Access {
    let name = name.map(types::SettingName::as_str);
    with(Access::of::<Op>("*"), "ecs:account-setting", name)
}

/// Asks again about a call that names a family without its revision, in the state that it changes:
/// the newest revision may be another than when the call was authorised.
///
/// # Errors
///
/// The denial.
pub(crate) fn ask_again<Op: Operation>(
    caller: &Caller,
    task_definition: Option<&str>,
    needed: impl FnOnce() -> Vec<Access>,
) -> Result<(), ApiError> {
    if task_definition.is_none_or(names_revision) {
        return Ok(());
    }
    for access in needed() {
        let decision = policy::decide(caller, &access);
        if !decision.is_allowed() {
            let denied = Denied {
                principal: caller.principal.arn.clone(),
                resource: access.shown().to_owned(),
                action: access.action.into_owned(),
                decision: Box::new(decision),
            };
            return Err(operation::access_denied(Op::API, &denied));
        }
    }
    Ok(())
}

/// Whether the name or ARN of a task definition has a revision: it is the same one for ever.
fn names_revision(given: &str) -> bool {
    let name = given.rsplit_once('/').map_or(given, |(_, name)| name);
    name.contains(':')
}

/// What a call that makes `resource` with tags needs beyond the making, unless the account has
/// turned that off with the setting `tagResourceAuthorization`.
fn tag_on_create<Op: Operation>(
    view: &View,
    resource: &str,
    given: Option<&[types::Tag]>,
) -> Option<Access> {
    let given = given.filter(|given| !given.is_empty())?;
    let setting = account_setting::effective(view, "tagResourceAuthorization", DEFAULT_PRINCIPAL);
    let access = Access::new("ecs:TagResource", resource).with_key("ecs:CreateAction", Op::NAME);
    (setting != "off").then(|| with_request_tags(access, Some(given)))
}

/// `CreateCluster` and the like: the making of a cluster, with tags.
pub(crate) fn create_cluster<Op: Operation>(
    ctx: &EcsContext,
    input: &types::CreateClusterRequest,
) -> Vec<Access> {
    let given = input.cluster_name.as_deref().filter(|name| !name.is_empty());
    let access = cluster::<Op>(ctx, given);
    let mut access = with_request_tags(access, input.tags.as_deref());
    for provider in input.capacity_providers.iter().flatten() {
        access = access.with_key("ecs:capacity-provider", capacity_provider(&ctx.scope, provider));
    }
    access = with_storage_key(access, input.configuration.as_ref());
    let tagging = tag_on_create::<Op>(&ctx.state.view(), &access.resource, input.tags.as_deref());
    std::iter::once(access).chain(tagging).collect()
}

/// With `ecs:fargate-ephemeral-storage-kms-key`.
pub(crate) fn with_storage_key(
    access: Access,
    configuration: Option<&types::ClusterConfiguration>,
) -> Access {
    let storage = configuration.and_then(|given| given.managed_storage_configuration.as_ref());
    let key = storage.and_then(|given| given.fargate_ephemeral_storage_kms_key_id.as_deref());
    with(access, "ecs:fargate-ephemeral-storage-kms-key", key)
}

fn capacity_provider(scope: &Scope, given: &str) -> String {
    if given.starts_with("arn:") {
        return canonical(scope, given);
    }
    scope.arn("ecs", format_args!("capacity-provider/{given}"))
}

/// With the value of a key, when there is one.
fn with(access: Access, name: &str, value: Option<impl Into<String>>) -> Access {
    match value {
        Some(value) => access.with_key(name, value),
        None => access,
    }
}

/// With a key that is `true` or `false`.
fn with_flag(access: Access, name: &str, value: Option<bool>) -> Access {
    with(access, name, value.map(|value| if value { "true" } else { "false" }))
}

/// With `aws:ResourceTag/…` and `ecs:ResourceTag/…`.
fn with_tags(access: Access, tags: Option<&Tags>) -> Access {
    let Some(tags) = tags else { return access };
    let mut access =
        access.with_resource_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    for (key, value) in tags {
        access = access.with_key(&format!("ecs:ResourceTag/{key}"), value.as_str());
    }
    access
}

/// With `aws:RequestTag/…` and `aws:TagKeys`.
pub(crate) fn with_request_tags(access: Access, given: Option<&[types::Tag]>) -> Access {
    access.with_request_tags(given.unwrap_or_default().iter().map(|tag| {
        (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
    }))
}

/// The tags of a service that is there; those of a deleted one are history.
fn service_tags<'v>(view: &'v View, cluster: &str, service: &str) -> Option<&'v Tags> {
    let row = view.service(cluster, service);
    row.filter(|row| row.status != ServiceStatus::Inactive).map(|row| &row.value.tags)
}

#[cfg(test)]
mod tests;
