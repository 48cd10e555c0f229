//! `GetTrailStatus`.

use api_cloudtrail::ops::GetTrailStatus;
use api_cloudtrail::types::{GetTrailStatusRequest, GetTrailStatusResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &GetTrailStatusRequest,
) -> Vec<Access> {
    vec![Access::of::<GetTrailStatus>(resource(ctx, caller, input.name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<GetTrailStatus>,
) -> Result<GetTrailStatusResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().name.as_deref())?;
    let row = ctx.trail(&call.caller().principal.account, &name)?;
    let trail = row.value.as_ref();
    let delivery = ctx.deliveries.of(&iam::key(&trail.account, &trail.name));
    let text = |time: Option<base::Timestamp>| {
        Some(time.map_or_else(String::new, |time| time.to_string()))
    };
    Ok(GetTrailStatusResponse {
        is_logging: Some(trail.logging),
        latest_delivery_time: delivery.file_at,
        latest_delivery_error: delivery.file_error,
        latest_cloud_watch_logs_delivery_time: delivery.log_group_at,
        latest_cloud_watch_logs_delivery_error: delivery.log_group_error,
        latest_delivery_attempt_time: text(delivery.file_at),
        start_logging_time: trail.started_at,
        stop_logging_time: trail.stopped_at,
        time_logging_started: text(trail.started_at),
        time_logging_stopped: text(trail.stopped_at),
        ..GetTrailStatusResponse::default()
    })
}
