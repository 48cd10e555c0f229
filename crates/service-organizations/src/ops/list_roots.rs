//! `ListRoots`: the root; there is one.

use api_organizations::ops::ListRoots;
use api_organizations::types::{ListRootsRequest, ListRootsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &ListRootsRequest,
) -> Vec<Access> {
    arn::accesses::<ListRoots>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListRoots>,
) -> Result<ListRootsResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    Ok(ListRootsResponse { next_token: None, roots: Some(vec![render::root(tree.organization)]) })
}
