//! `DeleteTrail`: ends the copies. The audit log goes on, and files that were copied stay.

use api_cloudtrail::ops::DeleteTrail;
use api_cloudtrail::types::{DeleteTrailRequest, DeleteTrailResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &DeleteTrailRequest,
) -> Vec<Access> {
    vec![Access::of::<DeleteTrail>(resource(ctx, caller, input.name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<DeleteTrail>,
) -> Result<DeleteTrailResponse, ApiError> {
    let name = own_name(ctx, call.caller(), call.input().name.as_deref())?;
    let account = &call.caller().principal.account;
    ctx.commit(|change| {
        change.delete(&ctx.trail(account, &name)?);
        Ok(DeleteTrailResponse::default())
    })
    .await
}
