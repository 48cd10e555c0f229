//! `SimulatePrincipalPolicy`: what the policies of somebody would decide.

use api_iam::ops::SimulatePrincipalPolicy;
use api_iam::types::{SimulatePolicyResponse, SimulatePrincipalPolicyRequest};
use base::AccountId;
use policy::{Access, Authorized, Caller, Permissions, Principal};
use wire::ApiError;

use crate::simulation::{Actor, Questions, Simulation, Source};
use crate::{IamContext, simulation};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    input: &SimulatePrincipalPolicyRequest,
) -> Vec<Access> {
    let arn = input.policy_source_arn.clone().unwrap_or_default();
    vec![Access::of::<SimulatePrincipalPolicy>(arn)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<SimulatePrincipalPolicy>,
) -> Result<SimulatePolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = caller.principal.account.clone();
    let (principal, permissions) = actor(ctx, &account, &input)?;
    let simulation = Simulation::new(
        Actor::new(Some(principal), permissions, account, ctx.region.clone(), ctx.now()),
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

/// Who acts, with which policies.
fn actor(
    ctx: &IamContext,
    account: &AccountId,
    input: &SimulatePrincipalPolicyRequest,
) -> Result<(Principal, Permissions), ApiError> {
    let view = ctx.state.view();
    let arn = input.policy_source_arn.as_deref().unwrap_or_default();
    let source = Source::find(&view, account, arn)?;
    let boundary = simulation::boundary(input.permissions_boundary_policy_input_list.as_deref())?;
    let mut permissions = source.permissions(&ctx.policies, &view);
    simulation::exclude(
        &mut permissions,
        input.policy_exclusion_list.as_deref().unwrap_or_default(),
    );
    let added = input.policy_input_list.as_deref().unwrap_or_default();
    permissions.identity.extend(simulation::parse_all("PolicyInputList", added)?);
    permissions.boundary = boundary.or(permissions.boundary);
    let principal = match input.caller_arn.as_deref() {
        Some(arn) => simulation::simulated_user(&view, account, arn)?,
        None if input.resource_policy.is_some() && !source.is_user() => {
            return Err(simulation::caller_is_missing());
        }
        None => source.principal(),
    };
    Ok((principal, permissions))
}
