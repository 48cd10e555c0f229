//! `ListTargetsForPolicy`: what a policy is attached to.

use api_organizations::ops::ListTargetsForPolicy;
use api_organizations::types::{ListTargetsForPolicyRequest, ListTargetsForPolicyResponse};
use api_organizations::types::{PolicyTargetSummary, TargetType};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::page::page;
use crate::tree::{Node, Tree};
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListTargetsForPolicyRequest,
) -> Vec<Access> {
    arn::accesses::<ListTargetsForPolicy>(&ctx.state.view(), caller, &[input.policy_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListTargetsForPolicy>,
) -> Result<ListTargetsForPolicyResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let policy = tree.policy(input.policy_id.as_ref())?;
    let (ids, next_token) = page(
        policy.targets.iter().cloned(),
        String::clone,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let target = |id: String| {
        let node = tree.node(Some(&id))?;
        let kind = match node {
            Node::Root => TargetType::Root,
            Node::Unit(_) => TargetType::OrganizationalUnit,
            Node::Account(_) => TargetType::Account,
        };
        Some(PolicyTargetSummary {
            arn: Some(arn::of(tree.organization, &id)),
            name: Some(node.name()),
            target_id: Some(id),
            r#type: Some(kind),
        })
    };
    let targets = ids.into_iter().filter_map(target).collect();
    Ok(ListTargetsForPolicyResponse { next_token, targets: Some(targets) })
}
