//! `TagRole`: adds tags, and replaces those of the same keys.

use api_iam::ops::TagRole;
use api_iam::types::TagRoleRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, role, tag};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &TagRoleRequest) -> Vec<Access> {
    let own = role::on::<TagRole>(ctx, &caller.principal.account, input.role_name.as_deref());
    vec![access::with_request_tags(own, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<TagRole>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let given = input.tags.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::role(view, account, &name)?;
        let mut role = row.value.as_ref().clone();
        tag::set(&mut role.tags, given.clone())?;
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
