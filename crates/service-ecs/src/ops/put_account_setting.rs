//! `PutAccountSetting`: one principal's choice.

use api_ecs::ops::PutAccountSetting;
use api_ecs::types::{PutAccountSettingRequest, PutAccountSettingResponse};
use domain::AccountSetting;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::read::account_setting;
use crate::{EcsContext, access, render};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    input: &PutAccountSettingRequest,
) -> Vec<Access> {
    vec![access::account_setting::<PutAccountSetting>(input.name.as_ref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<PutAccountSetting>,
) -> Result<PutAccountSettingResponse, ApiError> {
    let input = call.input();
    let name = account_setting::name(input.name.as_ref())?;
    let value = input.value.clone().unwrap_or_default();
    account_setting::check_value(name, &value)?;
    let principal = account_setting::principal(
        &ctx.scope,
        input.principal_arn.as_deref(),
        &call.caller().principal,
    )?;
    let setting = AccountSetting { name: name.to_owned(), value, principal };
    ctx.commit(|view, change| {
        change.put(view.account_setting(name, &setting.principal), &setting);
        Ok(())
    })
    .await?;
    Ok(PutAccountSettingResponse {
        setting: Some(render::account_setting::described(
            &ctx.scope,
            name,
            &setting.value,
            &setting.principal,
        )),
    })
}
