//! `GetContextKeysForPrincipalPolicy`: the condition keys that the policies of somebody ask for.

use api_iam::ops::GetContextKeysForPrincipalPolicy;
use api_iam::types::{GetContextKeysForPolicyResponse, GetContextKeysForPrincipalPolicyRequest};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::simulation::Source;
use crate::{IamContext, simulation};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    input: &GetContextKeysForPrincipalPolicyRequest,
) -> Vec<Access> {
    let arn = input.policy_source_arn.clone().unwrap_or_default();
    vec![Access::of::<GetContextKeysForPrincipalPolicy>(arn)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetContextKeysForPrincipalPolicy>,
) -> Result<GetContextKeysForPolicyResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_source_arn.as_deref().unwrap_or_default();
    let documents = input.policy_input_list.as_deref().unwrap_or_default();
    let source = Source::find(&view, account, arn)?;
    let mut policies = source.policies(&ctx.policies, &view);
    policies.extend(simulation::parse_all("PolicyInputList", documents)?);
    Ok(GetContextKeysForPolicyResponse {
        context_key_names: Some(simulation::context_keys(&policies)),
    })
}
