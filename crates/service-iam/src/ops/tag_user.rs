//! `TagUser`: sets tags of a user.

use api_iam::ops::TagUser;
use api_iam::types::TagUserRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, tag};

pub(crate) fn accesses(ctx: &IamContext, caller: &Caller, input: &TagUserRequest) -> Vec<Access> {
    let on = access::on_user::<TagUser>(ctx, &caller.principal.account, input.user_name.as_deref());
    vec![access::with_request_tags(on, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<TagUser>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.user_name.as_deref().unwrap_or_default();
    let tags = input.tags.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let row = lookup::user(view, account, name)?;
        let mut user = row.value.as_ref().clone();
        tag::set(&mut user.tags, tags.to_vec())?;
        change.update(row, &user);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
