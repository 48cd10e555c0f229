//! `DeleteVirtualMFADevice`: a second factor that nobody uses.

use api_iam::ops::DeleteVirtualMFADevice;
use api_iam::types::DeleteVirtualMFADeviceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::error::delete_conflict;
use crate::{IamContext, access, lookup};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &DeleteVirtualMFADeviceRequest,
) -> Vec<Access> {
    let account = &caller.principal.account;
    let given = input.serial_number.as_deref().unwrap_or_default();
    let view = ctx.state.view();
    let device = lookup::mfa_device(&view, account, given).ok();
    let none = iam::Tags::new();
    let tags = device.map_or(&none, |device| &device.tags);
    vec![access::on::<DeleteVirtualMFADevice>(given.to_owned(), tags)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<DeleteVirtualMFADevice>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let serial_number = input.serial_number.as_deref().unwrap_or_default();
    ctx.commit(|view, change| {
        let device = lookup::mfa_device(view, account, serial_number)?;
        if device.user.is_some() {
            return Err(delete_conflict("MFA VirtualDevice in use. Must deactivate first."));
        }
        change.delete(device);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
