//! `CreateLogStream`.

use api_logs::ops::CreateLogStream;
use api_logs::types::CreateLogStreamRequest;
use policy::Authorized;
use wire::{ApiError, NoOutput};

use crate::{LogsContext, name};

pub(crate) fn resources(ctx: &LogsContext, input: &CreateLogStreamRequest) -> Vec<String> {
    name::group_resource(&ctx.scope, input.log_group_name.as_deref(), None)
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
