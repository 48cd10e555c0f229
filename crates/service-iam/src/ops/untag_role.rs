//! `UntagRole`: takes tags away.

use api_iam::ops::UntagRole;
use api_iam::types::UntagRoleRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, role, tag};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &UntagRoleRequest) -> Vec<Access> {
    let own = role::on::<UntagRole>(ctx, &caller.principal.account, input.role_name.as_deref());
    vec![access::with_tag_keys(own, input.tag_keys.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UntagRole>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.role_name.unwrap_or_default();
    let keys = input.tag_keys.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::role(view, account, &name)?;
        let mut role = row.value.as_ref().clone();
        tag::unset(&mut role.tags, &keys);
        change.update(row, &role);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
