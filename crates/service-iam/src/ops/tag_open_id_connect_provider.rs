//! `TagOpenIDConnectProvider`: adds tags, and replaces those of the same keys.

use api_iam::ops::TagOpenIDConnectProvider;
use api_iam::types::TagOpenIDConnectProviderRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, provider, tag};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &TagOpenIDConnectProviderRequest,
) -> Vec<Access> {
    let own = provider::on::<TagOpenIDConnectProvider>(
        ctx,
        caller,
        input.open_id_connect_provider_arn.as_deref(),
    );
    vec![access::with_request_tags(own, input.tags.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<TagOpenIDConnectProvider>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = input.open_id_connect_provider_arn.unwrap_or_default();
    let given = input.tags.unwrap_or_default();
    ctx.commit(|view, change| {
        let row = provider::find(view, account, &name)?;
        let mut record = row.value.as_ref().clone();
        tag::set(&mut record.tags, given.clone())?;
        change.update(row, &record);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
