//! `ListChildren`: the ids of the accounts or units directly in a root or unit.

use api_organizations::ops::ListChildren;
use api_organizations::types::{Child, ChildType};
use api_organizations::types::{ListChildrenRequest, ListChildrenResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::parent_not_found;
use crate::page::page;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &ListChildrenRequest,
) -> Vec<Access> {
    arn::accesses::<ListChildren>(&ctx.state.view(), caller, &[input.parent_id.as_ref()])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<ListChildren>,
) -> Result<ListChildrenResponse, ApiError> {
    let view = ctx.state.view();
    let tree = Tree::managed(&view, call.caller())?;
    let input = call.input();
    let parent = input.parent_id.as_ref();
    let parent =
        parent.filter(|id| tree.parent(Some(id)).is_some()).ok_or_else(parent_not_found)?;
    let kind = input.child_type.clone().unwrap_or(ChildType::Account);
    let ids: Vec<String> = match kind {
        ChildType::OrganizationalUnit => {
            let inside = tree.units().filter(|unit| unit.parent_id == *parent);
            inside.map(|unit| unit.id.clone()).collect()
        }
        ChildType::Account | ChildType::Unrecognized(_) => {
            let inside = tree.accounts().filter(|account| account.parent_id == *parent);
            inside.map(|account| account.id.to_string()).collect()
        }
    };
    let (ids, next_token) =
        page(ids, String::clone, input.max_results, input.next_token.as_deref())?;
    let child = |id| Child { id: Some(id), r#type: Some(kind.clone()) };
    Ok(ListChildrenResponse { children: Some(ids.into_iter().map(child).collect()), next_token })
}
