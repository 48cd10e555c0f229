//! `UntagResource`: tags are taken off an account, unit or policy.

use api_organizations::ops::UntagResource;
use api_organizations::types::UntagResourceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::tagged::retag;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &UntagResourceRequest,
) -> Vec<Access> {
    {
        let accesses = arn::accesses::<UntagResource>(
            &ctx.state.view(),
            caller,
            &[input.resource_id.as_ref()],
        )
        .into_iter();
        let keys = input.tag_keys.iter().flatten();
        accesses
            .map(|access| {
                keys.clone().fold(access, |access, key| access.with_key("aws:tagkeys", key))
            })
            .collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<UntagResource>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    ctx.commit(|view, change| {
        let tree = Tree::managed(view, &caller)?;
        retag(tree, change, input.resource_id.as_ref(), |tags| {
            for key in input.tag_keys.iter().flatten() {
                tags.remove(key);
            }
            Ok(())
        })
    })
    .await?;
    Ok(NoOutput {})
}
