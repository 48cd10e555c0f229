//! `GetEventSelectors`.

use api_cloudtrail::ops::GetEventSelectors;
use api_cloudtrail::types::{GetEventSelectorsRequest, GetEventSelectorsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource, selectors};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &GetEventSelectorsRequest,
) -> Vec<Access> {
    vec![Access::of::<GetEventSelectors>(resource(ctx, caller, input.trail_name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<GetEventSelectors>,
) -> Result<GetEventSelectorsResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().trail_name.as_deref())?;
    let row = ctx.trail(&call.caller().principal.account, &name)?;
    Ok(GetEventSelectorsResponse {
        trail_arn: Some(ctx.arn(&row.value.account, &name)),
        event_selectors: Some(selectors(&row.value)),
        advanced_event_selectors: None,
    })
}
