//! `CreateTrail`.

use api_cloudtrail::ops::CreateTrail;
use api_cloudtrail::types::{CreateTrailRequest, CreateTrailResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use api_cloudtrail::errors;
use iam::{Trail, TrailOptions};

use crate::CloudTrailContext;
use crate::error::unsupported;
use crate::trail::{
    check_bucket, check_prefix, check_role, log_group, own_name, pairs, pass_role, render,
    resource, tag,
};

/// Trails of one account, as in AWS.
const MAX_TRAILS: usize = 5;

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &CreateTrailRequest,
) -> Vec<Access> {
    let access = Access::of::<CreateTrail>(resource(ctx, caller, input.name.as_deref()));
    let access = access.with_request_tags(pairs(input.tags_list.as_ref()));
    let role = pass_role(input.cloud_watch_logs_role_arn.as_deref());
    std::iter::once(access).chain(role).collect()
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<CreateTrail>,
) -> Result<CreateTrailResponse, ApiError> {
    let (caller, input) = call.into_parts();
    refuse(&input)?;
    let account = caller.principal.account.clone();
    let name = own_name(ctx, &caller, input.name.as_deref())?;
    let mut tags = iam::Tags::new();
    tag(&mut tags, input.tags_list.as_deref().unwrap_or_default())?;
    let bucket = input.s3_bucket_name.unwrap_or_default();
    check_bucket(&bucket)?;
    input.s3_key_prefix.as_deref().map_or(Ok(()), check_prefix)?;
    let role = input.cloud_watch_logs_role_arn.filter(|role| !role.is_empty());
    role.as_deref().map_or(Ok(()), |role| check_role(&account, role))?;
    let group = input.cloud_watch_logs_log_group_arn.as_deref();
    let log_group = group.map(|arn| log_group(ctx, &account, arn, role.as_deref())).transpose()?;
    let trail = Trail {
        account,
        name,
        bucket,
        key_prefix: input.s3_key_prefix,
        log_group,
        log_group_role_arn: role,
        logging: false,
        started_at: None,
        stopped_at: None,
        read_events: true,
        write_events: true,
        options: TrailOptions {
            include_global_service_events: input.include_global_service_events.unwrap_or(true),
            is_multi_region: input.is_multi_region_trail.unwrap_or(false),
            log_file_validation: false,
        },
        tags,
    };
    ctx.commit(|change| {
        let (account, name) = (&trail.account, &trail.name);
        if ctx.trail(account, name).is_ok() {
            let message = format!("Trail {name} already exists for customer: {account}");
            return Err(errors::TRAIL_ALREADY_EXISTS_EXCEPTION.error(message));
        }
        if ctx.trails(account).len() >= MAX_TRAILS {
            let message = format!("User: {account} already has {MAX_TRAILS} trails.");
            return Err(errors::MAXIMUM_NUMBER_OF_TRAILS_EXCEEDED_EXCEPTION.error(message));
        }
        change.create(&trail);
        Ok(())
    })
    .await?;
    let trail = render(ctx, &trail);
    Ok(CreateTrailResponse {
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
        ..CreateTrailResponse::default()
    })
}

/// Refuses what is not done here, rather than not doing it.
fn refuse(input: &CreateTrailRequest) -> Result<(), ApiError> {
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
