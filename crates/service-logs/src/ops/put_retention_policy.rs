//! `PutRetentionPolicy`.

use api_logs::ops::PutRetentionPolicy;
use api_logs::types::PutRetentionPolicyRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &PutRetentionPolicyRequest,
) -> Vec<Access> {
    vec![access::group::<PutRetentionPolicy>(ctx, input.log_group_name.as_deref(), None)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<PutRetentionPolicy>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();
    // A number that is no retention is refused by its value, a negative one too.
    let days = input.retention_in_days.unwrap_or_default();
    let days = u32::try_from(days).unwrap_or_default();
    ctx.with_store(move |store| store.set_retention(&group, Some(days))).await?;
    Ok(NoOutput {})
}
