//! `CreateLogStream`.

use api_logs::ops::CreateLogStream;
use api_logs::types::CreateLogStreamRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &CreateLogStreamRequest,
) -> Vec<Access> {
    let (group, stream) = (input.log_group_name.as_deref(), input.log_stream_name.as_deref());
    vec![access::stream::<CreateLogStream>(ctx, group, None, stream)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<CreateLogStream>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();
    let stream = input.log_stream_name.unwrap_or_default();
    ctx.with_store(move |store| store.create_stream(&group, &stream)).await?;
    Ok(NoOutput {})
}
