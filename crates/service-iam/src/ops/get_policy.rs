//! `GetPolicy`: one managed policy, and how often it is used.

use api_iam::ops::GetPolicy;
use api_iam::types::{GetPolicyRequest, GetPolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, managed, render};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &GetPolicyRequest) -> Vec<Access> {
    vec![managed::on::<GetPolicy>(ctx, &caller.principal.account, input.policy_arn.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetPolicy>,
) -> Result<GetPolicyResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    let policy = managed::find(&view, account, arn)?;
    let uses = managed::uses(&view, account).get(arn).copied().unwrap_or_default();
    Ok(GetPolicyResponse { policy: Some(render::policy::whole(policy, uses)) })
}
