//! `GetPolicyVersion`: the document of one version.

use api_iam::ops::GetPolicyVersion;
use api_iam::types::{GetPolicyVersionRequest, GetPolicyVersionResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::managed::Managed;
use crate::{IamContext, managed, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetPolicyVersionRequest,
) -> Vec<Access> {
    vec![managed::on::<GetPolicyVersion>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetPolicyVersion>,
) -> Result<GetPolicyVersionResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    let version_id = input.version_id.as_deref().unwrap_or_default();
    let missing = || managed::no_such_version(arn, version_id);
    let version = match managed::find(&view, account, arn)? {
        Managed::Own(policy) => {
            let number = managed::version_number(version_id).ok_or_else(missing)?;
            let version = policy.versions.get(&number).ok_or_else(missing)?;
            let rendered = render::policy::listed_version(policy, number, version);
            render::policy::with_document(rendered, &version.document)
        }
        Managed::Aws(policy) if policy.version_id == version_id => {
            let rendered = render::policy::listed_aws_version(policy.version_id);
            render::policy::with_document(rendered, policy.document)
        }
        Managed::Aws(_) => return Err(missing()),
    };
    Ok(GetPolicyVersionResponse { policy_version: Some(version) })
}
