//! `ResyncMFADevice`: finds out how far a second factor is off.

use api_iam::ops::ResyncMFADevice;
use api_iam::types::ResyncMFADeviceRequest;
use policy::{Access, Authorized, Caller};
use wire::{ApiError, NoOutput};

use crate::{IamContext, access, lookup, mfa};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ResyncMFADeviceRequest,
) -> Vec<Access> {
    vec![access::on_user::<ResyncMFADevice>(
        ctx,
        &caller.principal.account,
        input.user_name.as_deref(),
    )]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ResyncMFADevice>,
) -> Result<NoOutput, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let (name, serial_number) = (
        input.user_name.as_deref().unwrap_or_default(),
        input.serial_number.as_deref().unwrap_or_default(),
    );
    ctx.commit(|view, change| {
        let user = lookup::user(view, account, name)?;
        let row = mfa::of_user(view, user, serial_number)?;
        let codes = (input.authentication_code1.as_deref(), input.authentication_code2.as_deref());
        change.update(row, &mfa::synchronised(ctx, row, codes)?);
        Ok(())
    })
    .await?;
    Ok(NoOutput {})
}
