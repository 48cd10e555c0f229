//! `ListTrails`.

use api_cloudtrail::ops::ListTrails;
use api_cloudtrail::types::{ListTrailsRequest, ListTrailsResponse, TrailInfo};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use api_cloudtrail::errors;

use crate::CloudTrailContext;

pub(crate) fn accesses(
    _ctx: &CloudTrailContext,
    _caller: &Caller,
    _input: &ListTrailsRequest,
) -> Vec<Access> {
    vec![Access::of::<ListTrails>("*")]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<ListTrails>,
) -> Result<ListTrailsResponse, ApiError> {
    let account = &call.caller().principal.account;
    if call.input().next_token.is_some() {
        let message = "The token is not valid: all trails fit on one page.";
        return Err(errors::INVALID_NEXT_TOKEN_EXCEPTION.error(message));
    }
    let trails = ctx.trails(account).into_iter().map(|row| TrailInfo {
        trail_arn: Some(ctx.arn(account, &row.value.name)),
        name: Some(row.value.name.clone()),
        home_region: Some(ctx.scope.region.to_string()),
    });
    Ok(ListTrailsResponse { trails: Some(trails.collect()), next_token: None })
}
