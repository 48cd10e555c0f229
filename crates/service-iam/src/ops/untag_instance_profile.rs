//! `UntagInstanceProfile`: takes tags away.

use api_iam::ops::UntagInstanceProfile;
use api_iam::types::UntagInstanceProfileRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, instance_profile, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UntagInstanceProfileRequest,
) -> Vec<Access> {
    let own = instance_profile::on::<UntagInstanceProfile>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    );
    vec![access::with_tag_keys(own, input.tag_keys.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UntagInstanceProfile>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.instance_profile_name.unwrap_or_default();
    let keys = input.tag_keys.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = instance_profile::find(view, account, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::unset(&mut record.tags, &keys);
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
