//! `GetTrail`.

use api_cloudtrail::ops::GetTrail;
use api_cloudtrail::types::{GetTrailRequest, GetTrailResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, render, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &GetTrailRequest,
) -> Vec<Access> {
    vec![Access::of::<GetTrail>(resource(ctx, caller, input.name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<GetTrail>,
) -> Result<GetTrailResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().name.as_deref())?;
    let row = ctx.trail(&call.caller().principal.account, &name)?;
    Ok(GetTrailResponse { trail: Some(render(ctx, &row.value)) })
}
