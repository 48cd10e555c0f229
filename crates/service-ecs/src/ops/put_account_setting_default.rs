//! `PutAccountSettingDefault`: the choice for everybody who made none.

use api_ecs::ops::PutAccountSettingDefault;
use api_ecs::types::{PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse};
use domain::{AccountSetting, DEFAULT_PRINCIPAL};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::read::account_setting;
use crate::{EcsContext, access, render};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    input: &PutAccountSettingDefaultRequest,
) -> Vec<Access> {
    vec![access::account_setting::<PutAccountSettingDefault>(input.name.as_ref())]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<PutAccountSettingDefault>,
) -> Result<PutAccountSettingDefaultResponse, ApiError> {
    let input = call.input();
    let name = account_setting::name(input.name.as_ref())?;
    let value = input.value.clone().unwrap_or_default();
    account_setting::check_value(name, &value)?;
    let principal = DEFAULT_PRINCIPAL.to_owned();
    let setting = AccountSetting { name: name.to_owned(), value, principal };
    ctx.commit(|view, change| {
        change.put(view.account_setting(name, &setting.principal), &setting);
        Ok(())
    })
    .await?;
    Ok(PutAccountSettingDefaultResponse {
        setting: Some(render::account_setting::described(
            &ctx.scope,
            name,
            &setting.value,
            &setting.principal,
        )),
    })
}
