//! `UpdateTrail`.

use api_cloudtrail::ops::UpdateTrail;
use api_cloudtrail::types::{UpdateTrailRequest, UpdateTrailResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use iam::Trail;

use crate::CloudTrailContext;
use crate::error::unsupported;
use crate::trail::{
    check_bucket, check_prefix, check_role, log_group, own_name, pass_role, render, resource,
};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &UpdateTrailRequest,
) -> Vec<Access> {
    let access = Access::of::<UpdateTrail>(resource(ctx, caller, input.name.as_deref()));
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    // Another log group is written to with the role that the trail has, if with no other.
    let role = given(&input.cloud_watch_logs_role_arn).or_else(|| {
        given(&input.cloud_watch_logs_log_group_arn)?;
        let name = own_name(ctx, caller, input.name.as_deref()).ok()?;
        ctx.trail(&caller.principal.account, &name).ok()?.log_group_role_arn.clone()
    });
    std::iter::once(access).chain(pass_role(role.as_deref())).collect()
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<UpdateTrail>,
) -> Result<UpdateTrailResponse, ApiError> {
    let (caller, input) = call.into_parts();
    refuse(&input)?;
    let name = own_name(ctx, &caller, input.name.as_deref())?;
    input.s3_bucket_name.as_deref().map_or(Ok(()), check_bucket)?;
    // An empty text takes the prefix, or the log group, away.
    let prefix = input.s3_key_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    prefix.map_or(Ok(()), check_prefix)?;
    let trail = ctx.update(&caller.principal.account, &name, |trail| apply(ctx, &input, trail));
    let trail = render(ctx, &trail.await?);
    Ok(UpdateTrailResponse {
        name: trail.name,
        s3_bucket_name: trail.s3_bucket_name,
        s3_key_prefix: trail.s3_key_prefix,
        include_global_service_events: trail.include_global_service_events,
        is_multi_region_trail: trail.is_multi_region_trail,
        trail_arn: trail.trail_arn,
        log_file_validation_enabled: trail.log_file_validation_enabled,
        cloud_watch_logs_log_group_arn: trail.cloud_watch_logs_log_group_arn,
        cloud_watch_logs_role_arn: trail.cloud_watch_logs_role_arn,
        is_organization_trail: trail.is_organization_trail,
        ..UpdateTrailResponse::default()
    })
}

/// Refuses what is not done here, rather than not doing it.
fn refuse(input: &UpdateTrailRequest) -> Result<(), ApiError> {
    if input.is_organization_trail == Some(true) {
        return Err(unsupported("IsOrganizationTrail"));
    }
    if input.sns_topic_name.is_some() {
        return Err(unsupported("SnsTopicName"));
    }
    if input.kms_key_id.is_some() {
        return Err(unsupported("KmsKeyId"));
    }
    if input.enable_log_file_validation == Some(true) {
        return Err(unsupported(
            "EnableLogFileValidation: `portcullis audit verify` proves the log itself; it",
        ));
    }
    Ok(())
}

fn apply(
    ctx: &CloudTrailContext,
    input: &UpdateTrailRequest,
    trail: &mut Trail,
) -> Result<(), ApiError> {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    if let Some(bucket) = &input.s3_bucket_name {
        trail.bucket.clone_from(bucket);
    }
    if let Some(prefix) = &input.s3_key_prefix {
        trail.key_prefix = given(prefix);
    }
    if let Some(role) = &input.cloud_watch_logs_role_arn {
        trail.log_group_role_arn = given(role);
        trail
            .log_group_role_arn
            .as_deref()
            .map_or(Ok(()), |role| check_role(&trail.account, role))?;
    }
    if let Some(group) = &input.cloud_watch_logs_log_group_arn {
        let role = trail.log_group_role_arn.as_deref();
        trail.log_group =
            given(group).map(|group| log_group(ctx, &trail.account, &group, role)).transpose()?;
    }
    if let Some(include) = input.include_global_service_events {
        trail.options.include_global_service_events = include;
    }
    if let Some(is_multi_region) = input.is_multi_region_trail {
        trail.options.is_multi_region = is_multi_region;
    }
    Ok(())
}
