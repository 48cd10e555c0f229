//! `DeleteLogStream`.

use api_logs::ops::DeleteLogStream;
use api_logs::types::DeleteLogStreamRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &DeleteLogStreamRequest,
) -> Vec<Access> {
    let (group, stream) = (input.log_group_name.as_deref(), input.log_stream_name.as_deref());
    vec![access::stream::<DeleteLogStream>(ctx, group, None, stream)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<DeleteLogStream>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();
    let stream = input.log_stream_name.unwrap_or_default();
    ctx.with_store(move |store| store.delete_stream(&group, &stream)).await?;
    Ok(NoOutput {})
}
