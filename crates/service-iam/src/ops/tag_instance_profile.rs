//! `TagInstanceProfile`: adds tags, and replaces those of the same keys.

use api_iam::ops::TagInstanceProfile;
use api_iam::types::TagInstanceProfileRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, instance_profile, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &TagInstanceProfileRequest,
) -> Vec<Access> {
    let own = instance_profile::on::<TagInstanceProfile>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    );
    vec![access::with_request_tags(own, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<TagInstanceProfile>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.instance_profile_name.unwrap_or_default();
    let given = input.tags.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = instance_profile::find(view, account, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::set(&mut record.tags, given.clone())?;
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
