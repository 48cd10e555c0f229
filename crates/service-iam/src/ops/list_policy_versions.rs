//! `ListPolicyVersions`: the versions of a managed policy, newest first.

use api_iam::ops::ListPolicyVersions;
use api_iam::types::{self, ListPolicyVersionsRequest, ListPolicyVersionsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::managed::Managed;
use crate::page::page;
use crate::{IamContext, managed, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListPolicyVersionsRequest,
) -> Vec<Access> {
    vec![managed::on::<ListPolicyVersions>(
        ctx,
        &caller.principal.account,
        input.policy_arn.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListPolicyVersions>,
) -> Result<ListPolicyVersionsResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let arn = input.policy_arn.as_deref().unwrap_or_default();
    let versions: Vec<(u32, types::PolicyVersion)> = match managed::find(&view, account, arn)? {
        Managed::Own(policy) => {
            let newest_first = policy.versions.iter().rev();
            newest_first
                .map(|(number, version)| {
                    (*number, render::policy::listed_version(policy, *number, version))
                })
                .collect()
        }
        Managed::Aws(policy) => vec![(0, render::policy::listed_aws_version(policy.version_id))],
    };
    // Markers go up where numbers go down.
    let key = |(number, _): &(u32, types::PolicyVersion)| format!("{:010}", u32::MAX - number);
    let page = page(versions, key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|(_, version)| version);
    Ok(ListPolicyVersionsResponse { versions: Some(page.items), is_truncated, marker: page.marker })
}
