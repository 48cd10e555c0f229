//! `DeleteRetentionPolicy`.

use api_logs::ops::DeleteRetentionPolicy;
use api_logs::types::DeleteRetentionPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &DeleteRetentionPolicyRequest,
) -> Vec<Access> {
    vec![access::group::<DeleteRetentionPolicy>(ctx, input.log_group_name.as_deref(), None)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<DeleteRetentionPolicy>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();

    ctx.with_store(move |store| store.set_retention(&group, None)).await?;
    Ok(NoOutput {})
}
