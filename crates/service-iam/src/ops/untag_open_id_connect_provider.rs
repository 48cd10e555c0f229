//! `UntagOpenIDConnectProvider`: takes tags away.

use api_iam::ops::UntagOpenIDConnectProvider;
use api_iam::types::UntagOpenIDConnectProviderRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, provider, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &UntagOpenIDConnectProviderRequest,
) -> Vec<Access> {
    let own = provider::on::<UntagOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    );
    vec![access::with_tag_keys(own, input.tag_keys.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<UntagOpenIDConnectProvider>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.open_id_connect_provider_arn.unwrap_or_default();
    let keys = input.tag_keys.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = provider::find(view, account, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::unset(&mut record.tags, &keys);
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
