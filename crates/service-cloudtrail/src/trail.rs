//! Trails: their names, and how they read.

use std::path::PathBuf;

use api_cloudtrail::types::{EventSelector, ReadWriteType, Tag};
use api_cloudtrail::{errors, types};
use base::AccountId;
use iam::{Tags, Trail};
use policy::{Access, Caller};
use wire::ApiError;

use crate::CloudTrailContext;

/// Tags of one trail.
const MAX_TAGS: usize = 50;

/// The name in a name or an ARN.
pub(crate) fn name_of(name_or_arn: &str) -> &str {
    name_or_arn.rsplit_once(":trail/").map_or(name_or_arn, |(_, name)| name)
}

/// The ARN that a call on the trail with this name or ARN is authorised on.
pub(crate) fn resource(ctx: &CloudTrailContext, caller: &Caller, name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    if name.starts_with("arn:") {
        name.to_owned()
    } else {
        ctx.arn(&caller.principal.account, name)
    }
}

/// The name of the caller's own trail with this name or ARN.
///
/// # Errors
/// When the text is neither.
pub(crate) fn own_name(
    ctx: &CloudTrailContext,
    caller: &Caller,
    name_or_arn: Option<&str>,
) -> Result<String, ApiError> {
    let text = name_or_arn.unwrap_or_default();
    let name = name_of(text);
    check_name(name)?;
    if text != name && text != ctx.arn(&caller.principal.account, name) {
        return Err(crate::error::trail_not_found(&caller.principal.account, text));
    }
    Ok(name.to_owned())
}

/// The name of the caller's own trail with this ARN.
pub(crate) fn name_in_arn(
    ctx: &CloudTrailContext,
    caller: &Caller,
    arn: &str,
) -> Result<String, ApiError> {
    if arn.starts_with("arn:") && arn.contains(":trail/") {
        return own_name(ctx, caller, Some(arn));
    }
    Err(errors::CLOUD_TRAIL_ARN_INVALID_EXCEPTION
        .error(format!("Invalid trail ARN: {}", arn.chars().take(256).collect::<String>())))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let invalid = |why: &str| Err(errors::INVALID_TRAIL_NAME_EXCEPTION.error(why));
    if !(3..=128).contains(&name.len()) {
        return invalid("Trail name must be between 3 and 128 characters.");
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    if !name.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'_' | b'-')) {
        return invalid(
            "Trail name can only contain uppercase letters, lowercase letters, numbers, periods \
             (.), hyphens (-), and underscores (_).",
        );
    }
    let ends = [name.bytes().next(), name.bytes().next_back()];
    if !ends.into_iter().flatten().all(is_word) {
        return invalid("Trail name must start and end with a letter or a number.");
    }
    let pairs = name.as_bytes().windows(2);
    if pairs.into_iter().any(|pair| !pair.iter().any(|byte| is_word(*byte))) {
        return invalid("Trail name cannot have adjacent periods, hyphens or underscores.");
    }
    Ok(())
}

/// Checks the name of a bucket, which is a directory's here.
pub(crate) fn check_bucket(bucket: &str) -> Result<(), ApiError> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [bucket.bytes().next(), bucket.bytes().next_back()];
    let is_fine = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
        && ends.into_iter().flatten().all(is_word)
        && !bucket.contains("..");
    if is_fine {
        return Ok(());
    }
    let shown: String = bucket.chars().take(64).collect();
    Err(errors::INVALID_S3_BUCKET_NAME_EXCEPTION
        .error(format!("Bucket name is not valid: {shown}")))
}

/// Checks a prefix, which is a path of directories here.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), ApiError> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_fine = prefix.len() <= 200
        && !prefix.chars().any(char::is_control)
        && prefix.strip_suffix('/').unwrap_or(prefix).split('/').all(is_part);
    if is_fine {
        return Ok(());
    }
    Err(errors::INVALID_S3_PREFIX_EXCEPTION.error("S3 prefix is not valid."))
}

/// `iam:PassRole` of the role that events are to be written to a log group with.
pub(crate) fn pass_role(role: Option<&str>) -> Option<Access> {
    let role = role.filter(|role| !role.is_empty())?;
    let access = Access::new("iam:PassRole", role);
    Some(access.with_key("iam:PassedToService", "cloudtrail.amazonaws.com"))
}

/// Checks the ARN of the role that events are to be written to a log group with.
pub(crate) fn check_role(account: &AccountId, role: &str) -> Result<(), ApiError> {
    let name = role.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
    if name.is_some_and(|name| !name.is_empty() && role.len() <= 2048) {
        return Ok(());
    }
    Err(errors::INVALID_CLOUD_WATCH_LOGS_ROLE_ARN_EXCEPTION
        .error("The CloudWatch Logs role ARN is not that of a role of the trail's account."))
}

/// The name of the log group in its ARN, which a trail of `account` is to write to. Log groups are
/// of the server's own account, and no trail writes to those of another account than its own.
pub(crate) fn log_group(
    ctx: &CloudTrailContext,
    account: &AccountId,
    arn: &str,
    role: Option<&str>,
) -> Result<String, ApiError> {
    let start = ctx.scope.arn("logs", "log-group:");
    let name = arn.strip_prefix(&start).filter(|_| *account == ctx.scope.account);
    let name = name.map(|name| name.strip_suffix(":*").unwrap_or(name));
    let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= 512) else {
        return Err(errors::INVALID_CLOUD_WATCH_LOGS_LOG_GROUP_ARN_EXCEPTION
            .error("The CloudWatch Logs log group ARN is not valid."));
    };
    if role.is_none_or(str::is_empty) {
        return Err(errors::INVALID_CLOUD_WATCH_LOGS_ROLE_ARN_EXCEPTION
            .error("You must specify a role ARN as well as a log group."));
    }
    Ok(name.to_owned())
}

/// The ARN of the trail's log group.
pub(crate) fn log_group_arn(ctx: &CloudTrailContext, trail: &Trail) -> Option<String> {
    let group = trail.log_group.as_ref()?;
    Some(ctx.scope.arn("logs", format_args!("log-group:{group}:*")))
}

/// A trail, as it is answered.
pub(crate) fn render(ctx: &CloudTrailContext, trail: &Trail) -> types::Trail {
    types::Trail {
        name: Some(trail.name.clone()),
        s3_bucket_name: Some(trail.bucket.clone()),
        s3_key_prefix: trail.key_prefix.clone(),
        include_global_service_events: Some(trail.options.include_global_service_events),
        is_multi_region_trail: Some(trail.options.is_multi_region),
        home_region: Some(ctx.scope.region.to_string()),
        trail_arn: Some(ctx.arn(&trail.account, &trail.name)),
        log_file_validation_enabled: Some(trail.options.log_file_validation),
        cloud_watch_logs_log_group_arn: log_group_arn(ctx, trail),
        cloud_watch_logs_role_arn: trail.log_group_role_arn.clone(),
        has_custom_event_selectors: Some(!(trail.read_events && trail.write_events)),
        has_insight_selectors: Some(false),
        is_organization_trail: Some(false),
        ..types::Trail::default()
    }
}

/// Which events a trail copies, as it is answered.
pub(crate) fn selectors(trail: &Trail) -> Vec<EventSelector> {
    let read_write_type = match (trail.read_events, trail.write_events) {
        (true, false) => ReadWriteType::ReadOnly,
        (false, true) => ReadWriteType::WriteOnly,
        (true, true) | (false, false) => ReadWriteType::All,
    };
    vec![EventSelector {
        read_write_type: Some(read_write_type),
        include_management_events: Some(trail.read_events || trail.write_events),
        data_resources: Some(Vec::new()),
        exclude_management_event_sources: Some(Vec::new()),
    }]
}

/// Adds tags.
pub(crate) fn tag(tags: &mut Tags, list: &[Tag]) -> Result<(), ApiError> {
    for tag in list {
        let key = tag.key.clone().unwrap_or_default();
        if key.starts_with("aws:") {
            return Err(errors::INVALID_TAG_PARAMETER_EXCEPTION
                .error(format!("Tag key cannot start with aws: {key}")));
        }
        tags.insert(key, tag.value.clone().unwrap_or_default());
    }
    if tags.len() > MAX_TAGS {
        return Err(errors::TAGS_LIMIT_EXCEEDED_EXCEPTION
            .error(format!("A trail has at most {MAX_TAGS} tags.")));
    }
    Ok(())
}

/// Keys and values of a list of tags.
pub(crate) fn pairs(list: Option<&Vec<Tag>>) -> impl Iterator<Item = (&str, &str)> {
    list.into_iter().flatten().map(|tag| {
        (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
    })
}

/// The directory of the trail's files below the server's directory for trails, without the date.
pub fn directory_of(trail: &Trail, region: &base::Region) -> PathBuf {
    let mut directory = PathBuf::from(&trail.bucket);
    if let Some(prefix) = &trail.key_prefix {
        directory.push(prefix);
    }
    directory.push("AWSLogs");
    directory.push(trail.account.as_str());
    directory.push("CloudTrail");
    directory.push(region.as_str());
    directory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_a_prefix_stay_below_their_directory() {
        for bucket in ["abc", "my-logs.2026"] {
            assert!(check_bucket(bucket).is_ok(), "{bucket}");
        }
        for bucket in ["", "ab", "..", "a/b", "a..b", ".abc", "Abc", "abc-"] {
            assert!(check_bucket(bucket).is_err(), "{bucket}");
        }
        for prefix in ["a", "a/b", "a/b/"] {
            assert!(check_prefix(prefix).is_ok(), "{prefix}");
        }
        for prefix in ["", "/", "/a", "a//b", "../a", "a/..", "a/./b", "a\0"] {
            assert!(check_prefix(prefix).is_err(), "{prefix}");
        }
    }
}
