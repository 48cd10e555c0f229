//! `DescribeTrails`.

use api_cloudtrail::ops::DescribeTrails;
use api_cloudtrail::types::{DescribeTrailsRequest, DescribeTrailsResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, render};

pub(crate) fn accesses(
    _ctx: &CloudTrailContext,
    _caller: &Caller,
    _input: &DescribeTrailsRequest,
) -> Vec<Access> {
    vec![Access::of::<DescribeTrails>("*")]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<DescribeTrails>,
) -> Result<DescribeTrailsResponse, ApiError> {
    let caller = call.caller();
    let account = &caller.principal.account;
    let trails = match &call.input().trail_name_list {
        Some(names) if !names.is_empty() => {
            let mut trails = Vec::new();
            for name in names {
                let name = own_name(ctx, caller, Some(name))?;
                // A trail that is not there is left out.
                trails.extend(ctx.trail(account, &name).ok());
            }
            trails
        }
        Some(_) | None => ctx.trails(account),
    };
    let trails = trails.iter().map(|row| render(ctx, &row.value)).collect();
    Ok(DescribeTrailsResponse { trail_list: Some(trails) })
}
