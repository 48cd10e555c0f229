//! `TagResource`.

use api_logs::ops::TagResource;
use api_logs::types::TagResourceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::invalid_parameter;
use crate::{LogsContext, access, name};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &TagResourceRequest,
) -> Vec<Access> {
    let tags = input.tags.iter().flatten();
    let tags = tags.map(|(key, value)| (key.as_str(), value.as_str()));
    let access = access::tags::<TagResource>(ctx, input.resource_arn.as_deref());
    vec![access.with_request_tags(tags)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<TagResource>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = name::group_by_arn(&ctx.scope, &input.resource_arn.unwrap_or_default())?;
    let tags = input.tags.unwrap_or_default();
    check_keys(tags.keys())?;
    ctx.with_store(move |store| store.tag(&group, tags)).await?;
    Ok(NoOutput {})
}

/// Refuses keys that AWS keeps to itself.
pub(crate) fn check_keys<'key>(
    mut keys: impl Iterator<Item = &'key String>,
) -> Result<(), ApiError> {
    let reserved =
        |key: &&String| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    match keys.find(reserved) {
        Some(key) => Err(invalid_parameter(format!(
            "The tag key `{key}` begins with `aws:`, which is reserved; choose another."
        ))),
        None => Ok(()),
    }
}
