//! `ListServices`: ARNs of a cluster's services, by name. Deleted ones are not listed.

use api_ecs::ops::ListServices;
use api_ecs::types::{self, ListServicesRequest, ListServicesResponse};
use domain::ServiceStatus;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::{EcsContext, access, arn, name};

/// The most services on a page, and what a page has when nothing is asked.
const MAX_RESULTS: usize = 100;
const DEFAULT_RESULTS: i32 = 10;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListServicesRequest,
) -> Vec<Access> {
    let cluster = access::cluster_arn(&ctx.scope, input.cluster.as_deref());
    vec![Access::of::<ListServices>("*").with_key("ecs:cluster", cluster)]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListServices>,
) -> Result<ListServicesResponse, ApiError> {
    let input = call.input();
    let wanted = |given: Option<&str>, found: &str| given.is_none_or(|given| given == found);
    let launch_type = input.launch_type.as_ref().map(types::LaunchType::as_str);
    let strategy = input.scheduling_strategy.as_ref().map(types::SchedulingStrategy::as_str);
    let management = input.resource_management_type.as_ref();
    let view = ctx.state.view();
    let cluster = &name::cluster(&view, &ctx.scope, input.cluster.as_deref())?.name;
    let services = view.services_of(cluster).filter(|service| {
        service.status != ServiceStatus::Inactive
            && wanted(launch_type, service.launch_type.as_str())
            && wanted(strategy, service.scheduling_strategy.as_str())
            // All services here are the customer's own.
            && management.is_none_or(|wanted| *wanted == types::ResourceManagementType::Customer)
    });
    let (services, next_token) = page(
        services,
        |service| service.name.clone(),
        input.max_results.or(Some(DEFAULT_RESULTS)),
        input.next_token.as_deref(),
        MAX_RESULTS,
    )?;
    let service_arns = services.iter().map(|row| arn::service(&ctx.scope, cluster, &row.name));
    Ok(ListServicesResponse { next_token, service_arns: Some(service_arns.collect()) })
}
