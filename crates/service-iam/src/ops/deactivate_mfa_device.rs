//! `DeactivateMFADevice`: takes a second factor from its user.

use api_iam::ops::DeactivateMFADevice;
use api_iam::types::DeactivateMFADeviceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, mfa, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeactivateMFADeviceRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<DeactivateMFADevice>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeactivateMFADevice>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let serial_number = input.serial_number.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        let row = mfa::of_user(view, user, serial_number)?;
        let mut device = row.value.as_ref().clone();
        device.user = None;
        device.enabled_at = None;
        change.update(row, &device);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
