//! `UntagUser`: takes tags of a user away.

use api_iam::ops::UntagUser;
use api_iam::types::UntagUserRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, tag};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &UntagUserRequest) -> Vec<Access> {
    let on =
        access::on_user::<UntagUser>(ctx, &caller.principal.account, input.user_name.as_deref());
    vec![access::with_tag_keys(on, input.tag_keys.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UntagUser>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::user(view, account, name)?;
        let mut user = row.value.as_ref().clone();
        tag::unset(&mut user.tags, input.tag_keys.as_deref().unwrap_or_default());
        change.update(row, &user);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
