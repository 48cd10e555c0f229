//! `ListPolicies`: the managed policies of AWS, of the account, or both.

use api_iam::ops::ListPolicies;
use api_iam::types::{ListPoliciesRequest, ListPoliciesResponse, PolicyUsageType, policyScopeType};
use identity::aws_managed;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::managed::{Managed, Uses};
use crate::page::page;
use crate::{IamContext, access, managed, name, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &ListPoliciesRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListPolicies>(
        &caller.principal.account,
        "policy",
        input.path_prefix.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListPolicies>,
) -> Result<ListPoliciesResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let uses = managed::uses(&view, account);
    let uses_of = |policy: &Managed<'_>| uses.get(&policy.arn()).copied().unwrap_or_default();
    let (with_aws, with_own) = match &input.scope {
        Some(policyScopeType::Aws) => (true, false),
        Some(policyScopeType::Local) => (false, true),
        Some(policyScopeType::All | policyScopeType::Unrecognized(_)) | None => (true, true),
    };
    let aws = aws_managed::all().iter().filter(|_| with_aws).map(Managed::Aws);
    let own = view.identities().managed_policies();
    let own = own.filter(|policy| with_own && policy.account == *account).map(Managed::Own);
    let mut all: Vec<Managed<'_>> = aws
        .chain(own)
        .filter(|policy| name::has_prefix(policy.path(), input.path_prefix.as_deref()))
        .filter(|policy| is_asked_for(input, uses_of(policy)))
        .collect();
    all.sort_by_key(key);
    let page = page(all, key, input.max_items, input.marker.as_deref())?;
    let is_truncated = page.is_truncated();
    let page = page.map(|policy| render::policy::listed(policy, uses_of(&policy)));
    Ok(ListPoliciesResponse { policies: Some(page.items), is_truncated, marker: page.marker })
}

/// By name; those of AWS behind those of the account that have the same.
fn key(policy: &Managed<'_>) -> String {
    let behind = match policy {
        Managed::Own(_) => 0,
        Managed::Aws(_) => 1,
    };
    format!("{}/{behind}", policy.name().to_ascii_lowercase())
}

/// Whether the policy is used in the way that is asked for.
fn is_asked_for(input: &ListPoliciesRequest, uses: Uses) -> bool {
    let only_attached = input.only_attached == Some(true);
    match &input.policy_usage_filter {
        Some(PolicyUsageType::PermissionsPolicy) => uses.attachments > 0,
        Some(PolicyUsageType::PermissionsBoundary) => uses.boundaries > 0,
        Some(PolicyUsageType::Unrecognized(_)) | None => {
            !only_attached || uses.attachments > 0 || uses.boundaries > 0
        }
    }
}
