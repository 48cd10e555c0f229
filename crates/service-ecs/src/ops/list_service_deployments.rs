//! `ListServiceDeployments`: the deployments of a service, newest first.

use api_ecs::ops::ListServiceDeployments;
use api_ecs::types::{ListServiceDeploymentsRequest, ListServiceDeploymentsResponse};
use domain::ServiceDeployment;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::access::Kind;
use crate::error::service_not_found;
use crate::page::page;
use crate::{EcsContext, access, name, render};

/// The most deployments on a page, and what a page has when nothing is asked.
const MAX_RESULTS: usize = 100;
const DEFAULT_RESULTS: i32 = 20;

pub(crate) fn accesses(
    ctx: &EcsContext,
    _caller: &Caller,
    input: &ListServiceDeploymentsRequest,
) -> Vec<Access> {
    let service = input.service.as_deref().unwrap_or_default();
    vec![access::in_cluster::<ListServiceDeployments>(
        ctx,
        Kind::Service,
        input.cluster.as_deref(),
        service,
    )]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListServiceDeployments>,
) -> Result<ListServiceDeploymentsResponse, ApiError> {
    let input = call.input();
    let view = ctx.state.view();
    let cluster = &name::cluster(&view, &ctx.scope, input.cluster.as_deref())?.name;
    let given = input.service.as_deref().unwrap_or_default();
    let service =
        name::service(&view, &ctx.scope, cluster, given)?.ok_or_else(service_not_found)?;
    let statuses = input.status.as_deref().unwrap_or_default();
    let created = input.created_at.clone().unwrap_or_default();
    let mut records: Vec<&ServiceDeployment> = view
        .deployments_of(cluster, &service.name)
        .map(|row| row.value.as_ref())
        .filter(|record| {
            let status = record.status.as_str();
            (statuses.is_empty() || statuses.iter().any(|wanted| wanted.as_str() == status))
                && created.after.is_none_or(|after| record.created_at >= after)
                && created.before.is_none_or(|before| record.created_at <= before)
        })
        .collect();
    records.sort_by_key(|record| key(record));
    let (records, next_token) = page(
        records,
        |record| key(record),
        input.max_results.or(Some(DEFAULT_RESULTS)),
        input.next_token.as_deref(),
        MAX_RESULTS,
    )?;
    let briefs = records.iter().map(|record| render::service_deployment::brief(&ctx.scope, record));
    Ok(ListServiceDeploymentsResponse { next_token, service_deployments: Some(briefs.collect()) })
}

/// Orders the newest first.
fn key(record: &ServiceDeployment) -> String {
    let age = u64::MAX.saturating_sub(record.created_at.as_epoch_ms().unsigned_abs());
    format!("{age:020}/{}", record.id)
}
