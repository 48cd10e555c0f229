//! `CreatePolicyVersion`: another document for a managed policy.

use api_iam::ops::CreatePolicyVersion;
use api_iam::types::{CreatePolicyVersionRequest, CreatePolicyVersionResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::limit_exceeded;
use crate::{IamContext, managed, quota, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &CreatePolicyVersionRequest,
) -> Vec<Access> {
    vec![managed::on::<CreatePolicyVersion>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreatePolicyVersion>,
) -> Result<CreatePolicyVersionResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let arn = input.policy_arn.unwrap_or_default();
    let version = managed::version(input.policy_document.unwrap_or_default(), ctx.now())?;
    let rendered = ctx
        .commit(|view, change| {
            let row = managed::changeable::<CreatePolicyVersion>(view, &caller, &arn)?;
            if row.versions.len() >= quota::VERSIONS_PER_POLICY {
                return Err(limit_exceeded(format!(
                    "A managed policy can have up to {} versions. Before you create a new version, you must delete an existing version.",
                    quota::VERSIONS_PER_POLICY
                )));
            }
            let mut policy = row.value.as_ref().clone();
            let number = policy.next_version;
            policy.next_version = number.saturating_add(1);
            policy.versions.insert(number, version.clone());
            policy.updated_at = version.created_at;
            if input.set_as_default == Some(true) {
                policy.default_version = number;
            }
            change.update(row, &policy);
            Ok(render::policy::listed_version(&policy, number, &version))
        })
        .await?;
    Ok(CreatePolicyVersionResponse { policy_version: Some(rendered) })
}
