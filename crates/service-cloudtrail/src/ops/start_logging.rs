//! `StartLogging`: copies begin.

use api_cloudtrail::ops::StartLogging;
use api_cloudtrail::types::{StartLoggingRequest, StartLoggingResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &StartLoggingRequest,
) -> Vec<Access> {
    vec![Access::of::<StartLogging>(resource(ctx, caller, input.name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<StartLogging>,
) -> Result<StartLoggingResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().name.as_deref())?;
    let now = ctx.clock.now();
    let account = &call.caller().principal.account;
    let changed = ctx
        .update(account, &name, |trail| {
            if !trail.logging {
                trail.started_at = Some(now);
            }
            trail.logging = true;
            Ok(())
        })
        .await;
    changed.map(|_| StartLoggingResponse::default())
}
