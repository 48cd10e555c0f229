//! `DeleteAccountSetting`: one principal's choice is forgotten.

use api_ecs::ops::DeleteAccountSetting;
use api_ecs::types::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::read::account_setting;
use crate::{EcsContext, access, render};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    input: &DeleteAccountSettingRequest,
) -> Vec<Access> {
    vec![access::account_setting::<DeleteAccountSetting>(input.name.as_ref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<DeleteAccountSetting>,
) -> Result<DeleteAccountSettingResponse, ApiError> {
    let input = call.input();
    let name = account_setting::name(input.name.as_ref())?;
    let caller = &call.caller().principal;
    let principal = account_setting::principal(&ctx.scope, input.principal_arn.as_deref(), caller)?;
    ctx.commit(|view, change| {
        if let Some(row) = view.account_setting(name, &principal) {
            change.delete(row);
        }
        Ok(())
    })
    .await?;
    // What holds from now on.
    let view = ctx.state.view();
    let value = account_setting::effective(&view, name, &principal);
    Ok(DeleteAccountSettingResponse {
        setting: Some(render::account_setting::described(&ctx.scope, name, value, &principal)),
    })
}
