//! `TagResource`: tags of an account, unit or policy.

use api_organizations::ops::TagResource;
use api_organizations::types::TagResourceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::tagged::retag;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, tag};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &TagResourceRequest,
) -> Vec<Access> {
    {
        let accesses =
            arn::accesses::<TagResource>(&ctx.state.view(), caller, &[input.resource_id.as_ref()])
                .into_iter();
        accesses.map(|access| access.with_request_tags(tag::pairs(input.tags.as_ref()))).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<TagResource>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, &caller)?;
        retag(tree, change, input.resource_id.as_ref(), |tags| {
            tag::set(tags, input.tags.clone().unwrap_or_default())
        })
    })
    .await?;
    Ok(NoOutput {})
}
