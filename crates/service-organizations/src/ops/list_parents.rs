//! `ListParents`: what an account or unit is in.

use api_organizations::errors::child_not_found_exception;
use api_organizations::ops::ListParents;
use api_organizations::types::{ListParentsRequest, ListParentsResponse};
use api_organizations::types::{Parent, ParentType};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tree::{Node, Tree};
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListParentsRequest,
) -> Vec<Access> {
    arn::accesses::<ListParents>(&ctx.state.view(), caller, &[input.child_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListParents>,
) -> Result<ListParentsResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let parent = match tree.node(call.input().child_id.as_ref()) {
        Some(Node::Account(account)) => &account.parent_id,
        Some(Node::Unit(unit)) => &unit.parent_id,
        Some(Node::Root) | None => {
            return Err(child_not_found_exception("You specified a child that doesn't exist."));
        }
    };
    let kind = match tree.unit(Some(parent)) {
        Some(_) => ParentType::OrganizationalUnit,
        None => ParentType::Root,
    };
    let parent = Parent { id: Some(parent.clone()), r#type: Some(kind) };
    Ok(ListParentsResponse { next_token: None, parents: Some(vec![parent]) })
}
