//! `GetMFADevice`: a second factor of a user.

use api_iam::ops::GetMFADevice;
use api_iam::types::{GetMFADeviceRequest, GetMFADeviceResponse};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{IamContext, access, lookup, mfa};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &GetMFADeviceRequest,
) -> Vec<Access> {
    let account = &caller.principal.account;
    let serial_number = input.serial_number.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let device = lookup::mfa_device(&view, account, serial_number).ok();
    // Without a name, whose device it is decides.
    let user = device.and_then(|device| device.user.clone());
    drop(view);
    match input.user_name.clone().or(user) {
        Some(user) => vec![access::on_user::<GetMFADevice>(ctx, account, Some(&user))],
        None => vec![Access::of::<GetMFADevice>(serial_number)],
    }
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetMFADevice>,
) -> Result<GetMFADeviceResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let serial_number = input.serial_number.as_deref().unwrap_or_default();
    let device = match &input.user_name {
        Some(name) => mfa::of_user(&view, lookup::user(&view, account, name)?, serial_number)?,
        None => lookup::mfa_device(&view, account, serial_number)?,
    };
    Ok(GetMFADeviceResponse {
        user_name: device.user.clone(),
        serial_number: Some(device.serial_number()),
        enable_date: device.enabled_at,
        certifications: None,
    })
}
