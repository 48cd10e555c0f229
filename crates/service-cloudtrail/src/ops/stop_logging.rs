//! `StopLogging`: copies end. The audit log goes on.

use api_cloudtrail::ops::StopLogging;
use api_cloudtrail::types::{StopLoggingRequest, StopLoggingResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &StopLoggingRequest,
) -> Vec<Access> {
    vec![Access::of::<StopLogging>(resource(ctx, caller, input.name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<StopLogging>,
) -> Result<StopLoggingResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().name.as_deref())?;
    let now = ctx.clock.now();
    let account = &call.caller().principal.account;
    let changed = ctx
        .update(account, &name, |trail| {
            if trail.logging {
                trail.stopped_at = Some(now);
            }
            trail.logging = false;
            Ok(())
        })
        .await;
    changed.map(|_| StopLoggingResponse::default())
}
