//! `GetContextKeysForCustomPolicy`: the condition keys that documents ask for.

use api_iam::ops::GetContextKeysForCustomPolicy;
use api_iam::types::{GetContextKeysForCustomPolicyRequest, GetContextKeysForPolicyResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, simulation};

pub(crate) fn accesses(
    _ctx: &IamContext,
    _caller: &Caller,
    _input: &GetContextKeysForCustomPolicyRequest,
) -> Vec<Access> {
    vec![Access::of::<GetContextKeysForCustomPolicy>("*")]
}

pub(crate) async fn execute(
    _ctx: &IamContext,
    call: Authorized<GetContextKeysForCustomPolicy>,
) -> Result<GetContextKeysForPolicyResponse, ApiError> {
    let documents = call.input().policy_input_list.as_deref().unwrap_or_default();
    let policies = simulation::parse_all("PolicyInputList", documents)?;
    Ok(GetContextKeysForPolicyResponse {
        context_key_names: Some(simulation::context_keys(&policies)),
    })
}
