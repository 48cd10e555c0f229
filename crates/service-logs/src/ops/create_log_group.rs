//! `CreateLogGroup`.

use api_logs::ops::{CreateLogGroup, TagResource};
use api_logs::types::{CreateLogGroupRequest, LogGroupClass};
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::invalid_parameter;
use crate::ops::tag_resource::check_keys;
use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &CreateLogGroupRequest,
) -> Vec<Access> {
    let name = input.log_group_name.as_deref();
    let tags = input.tags.iter().flatten();
    let tags = tags.map(|(key, value)| (key.as_str(), value.as_str()));
    let creation = access::group::<CreateLogGroup>(ctx, name, None).with_request_tags(tags.clone());
    // Tags given to what is being made are tags put on it.
    let tagging = input.tags.as_ref().filter(|tags| !tags.is_empty());
    let tagging = tagging.map(|_| access::tags::<TagResource>(ctx, name).with_request_tags(tags));
    std::iter::once(creation).chain(tagging).collect()
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<CreateLogGroup>,
) -> Result<NoOutput, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();
    if input.kms_key_id.is_some() {
        return Err(invalid_parameter(
            "kmsKeyId is not supported here: log groups are not encrypted with keys of AWS KMS.",
        ));
    }
    if input.log_group_class.is_some_and(|class| class != LogGroupClass::Standard) {
        return Err(invalid_parameter("Only the log group class STANDARD is supported here."));
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(invalid_parameter("deletionProtectionEnabled is not supported here."));
    }
    let tags = input.tags.unwrap_or_default();
    check_keys(tags.keys())?;
    ctx.with_store(move |store| store.create_group(&group, tags)).await?;
    Ok(NoOutput {})
}
