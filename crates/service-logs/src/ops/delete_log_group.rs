//! `DeleteLogGroup`.

use api_logs::ops::DeleteLogGroup;
use api_logs::types::DeleteLogGroupRequest;
use policy::Authorized;
use wire::{ApiError, NoOutput};

use crate::{LogsContext, name};

pub(crate) fn resources(ctx: &LogsContext, input: &DeleteLogGroupRequest) -> Vec<String> {
    name::group_resource(&ctx.scope, input.log_group_name.as_deref(), None)
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
