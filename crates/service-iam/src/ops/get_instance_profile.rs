//! `GetInstanceProfile`: one instance profile, and its role.

use api_iam::ops::GetInstanceProfile;
use api_iam::types::{GetInstanceProfileRequest, GetInstanceProfileResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, instance_profile, render};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetInstanceProfileRequest,
) -> Vec<Access> {
    vec![instance_profile::on::<GetInstanceProfile>(
        ctx,
        &caller.principal.account,
        input.instance_profile_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetInstanceProfile>,
) -> Result<GetInstanceProfileResponse, ApiError> {
    let (account, input) = (&call.caller().principal.account, call.input());
    let view = ctx.state.view();
    let name = input.instance_profile_name.as_deref().unwrap_or_default();
    let profile = instance_profile::find(&view, account, name)?;
    let profile = render::instance_profile::whole(&view, profile);
    Ok(GetInstanceProfileResponse { instance_profile: Some(profile) })
}
