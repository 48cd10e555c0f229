//! `DeleteLogGroup`.

use api_logs::ops::DeleteLogGroup;
use api_logs::types::DeleteLogGroupRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &DeleteLogGroupRequest,
) -> Vec<Access> {
    vec![access::group::<DeleteLogGroup>(ctx, input.log_group_name.as_deref(), None)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<DeleteLogGroup>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();

    ctx.with_store(move |store| store.delete_group(&group)).await?;
    Ok(NoOutput {})
}
