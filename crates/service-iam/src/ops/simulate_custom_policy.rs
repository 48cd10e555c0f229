//! `SimulateCustomPolicy`: what policies that are given would decide.

use api_iam::ops::SimulateCustomPolicy;
use api_iam::types::{SimulateCustomPolicyRequest, SimulatePolicyResponse};
use policy::{Access, Authorized, Caller, Permissions};
use wire::ApiError;

use crate::simulation::{Actor, Questions, Simulation};
use crate::{IamContext, simulation};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &SimulateCustomPolicyRequest,
) -> Vec<Access> {
    vec![Access::of::<SimulateCustomPolicy>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<SimulateCustomPolicy>,
) -> Result<SimulatePolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = caller.principal.account.clone();
    let policies = input.policy_input_list.as_deref().unwrap_or_default();
    let levels = input.ordered_organization_policy_input_list.as_deref().unwrap_or_default();
    let principal = input
        .caller_arn
        .as_deref()
        .map(|arn| simulation::simulated_user(&ctx.state.view(), &account, arn))
        .transpose()?;
    if principal.is_none() && input.resource_policy.is_some() {
        return Err(simulation::caller_is_missing());
    }
    let permissions = Permissions {
        identity: simulation::parse_all("PolicyInputList", policies)?,
        boundary: simulation::boundary(input.permissions_boundary_policy_input_list.as_deref())?,
        service_control: simulation::service_control(levels)?,
        ..Permissions::default()
    };
    let simulation = Simulation::new(
        Actor::new(principal, permissions, account, ctx.region.clone(), ctx.now()),
        Questions {
            actions: input.action_names,
            resources: input.resource_arns,
            resource_policy: input.resource_policy,
            resource_owner: input.resource_owner,
            context: input.context_entries,
        },
    )?;
    let page = simulation.run(input.max_items, input.marker.as_deref()).await?;
    Ok(SimulatePolicyResponse {
        is_truncated: page.is_truncated(),
        evaluation_results: Some(page.items),
        marker: page.marker,
    })
}
