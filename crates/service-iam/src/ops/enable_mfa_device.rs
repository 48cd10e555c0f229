//! `EnableMFADevice`: gives a second factor to a user, who shows two codes in a row.

use api_iam::ops::EnableMFADevice;
use api_iam::types::EnableMFADeviceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::context::touch;
use crate::error::{already_exists, quota_exceeded};
use crate::{IamContext, access, lookup, mfa, quota};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &EnableMFADeviceRequest,
) -> Vec<Access> {
    vec![access::on_user::<EnableMFADevice>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<EnableMFADevice>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let (name, serial_number) = (
        input.user_name.as_deref().unwrap_or_default(),
        input.serial_number.as_deref().unwrap_or_default(),
    );
    let now = ctx.now();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        let row = lookup::mfa_device(view, account, serial_number)?;
        if row.user.is_some() {
            return Err(already_exists("MFA device is already in use."));
        }
        if lookup::mfa_devices_of(view, user).count() >= quota::MFA_DEVICES_PER_USER {
            return Err(quota_exceeded("MFADevicesPerUser", quota::MFA_DEVICES_PER_USER));
        }
        let codes = (input.authentication_code1.as_deref(), input.authentication_code2.as_deref());
        let mut device = mfa::synchronised(ctx, row, codes)?;
        device.user = Some(user.name.clone());
        device.enabled_at = Some(now);
        change.update(row, &device);
        touch(change, user);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
