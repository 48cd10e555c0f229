//! `DeleteLogStream`.

use api_logs::ops::DeleteLogStream;
use api_logs::types::DeleteLogStreamRequest;
use policy::Authorized;
use wire::{ApiError, NoOutput};

use crate::{LogsContext, name};

pub(crate) fn resources(ctx: &LogsContext, input: &DeleteLogStreamRequest) -> Vec<String> {
    let group = input.log_group_name.as_deref().unwrap_or_default();
    let stream = input.log_stream_name.as_deref().unwrap_or_default();
    vec![name::stream_arn(&ctx.scope, group, stream)]
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
