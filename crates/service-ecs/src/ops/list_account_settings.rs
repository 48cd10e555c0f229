//! `ListAccountSettings`: what a principal chose, or what is in force for it.

use api_ecs::ops::ListAccountSettings;
use api_ecs::types::{ListAccountSettingsRequest, ListAccountSettingsResponse};
use domain::SETTING_DEFAULTS;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::page::page;
use crate::read::account_setting;
use crate::{EcsContext, render};

pub(crate) fn accesses(
    _ctx: &EcsContext,
    _caller: &Caller,
    _input: &ListAccountSettingsRequest,
) -> Vec<Access> {
    vec![Access::of::<ListAccountSettings>("*")]
}

pub(crate) async fn execute(
    ctx: &EcsContext,
    call: Authorized<ListAccountSettings>,
) -> Result<ListAccountSettingsResponse, ApiError> {
    let input = call.input();
    let wanted = input.name.as_ref().map(|name| account_setting::name(Some(name))).transpose()?;
    if input.value.is_some() && wanted.is_none() {
        return Err(invalid_parameter("A value needs the name of a setting."));
    }
    let caller = &call.caller().principal;
    let principal = account_setting::principal(&ctx.scope, input.principal_arn.as_deref(), caller)?;
    let effective = input.effective_settings == Some(true);
    let view = ctx.state.view();
    let listed = SETTING_DEFAULTS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| wanted.is_none_or(|wanted| wanted == *name))
        .filter(|name| effective || view.account_setting(name, &principal).is_some())
        .map(|name| (name, account_setting::effective(&view, name, &principal)))
        .filter(|(_, value)| input.value.as_deref().is_none_or(|wanted| wanted == *value));
    let (settings, next_token) = page(
        listed,
        |(name, _)| (*name).to_owned(),
        input.max_results,
        input.next_token.as_deref(),
        10,
    )?;
    let settings = settings.into_iter().map(|(name, value)| {
        render::account_setting::described(&ctx.scope, name, value, &principal)
    });
    Ok(ListAccountSettingsResponse { settings: Some(settings.collect()), next_token })
}
