//! What a call brings, beside its signature, to say who makes it.

use std::sync::Arc;

use api_sts::ops::{AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken};
use operation::Call;
use policy::{Caller, SessionFacts};
use wire::{ApiError, Operation};

use crate::{StsContext, mfa, role, web_identity};

/// Verifies it and notes it in the caller. What cannot be decoded is left to the operation, which says
/// so.
///
/// # Errors
/// What is wrong with the code or the token.
pub(crate) async fn identify(context: &StsContext, call: Call) -> Result<Call, ApiError> {
    let caller = match call.operation {
        AssumeRole::NAME => {
            let Ok(input) = wire::decode::<AssumeRole>(&call.body) else { return Ok(call) };
            role::account_of(input.role_arn.as_deref().unwrap_or_default())?;
            let (serial, code) = (input.serial_number.as_deref(), input.token_code.as_deref());
            let proven = mfa::prove(context, &call.caller, serial, code).await?;
            with_mfa(&call.caller, proven)
        }
        GetSessionToken::NAME => {
            let Ok(input) = wire::decode::<GetSessionToken>(&call.body) else { return Ok(call) };
            let (serial, code) = (input.serial_number.as_deref(), input.token_code.as_deref());
            let proven = mfa::prove(context, &call.caller, serial, code).await?;
            with_mfa(&call.caller, proven)
        }
        AssumeRoleWithWebIdentity::NAME => {
            let input = wire::decode::<AssumeRoleWithWebIdentity>(&call.body);
            let Ok(input) = input else { return Ok(call) };
            web_identity::verify(context, &call.caller, &input).await?
        }
        _ => return Ok(call),
    };
    Ok(Call { caller, ..call })
}

/// The caller, who proved a second factor just now if `proven`.
fn with_mfa(caller: &Caller, proven: bool) -> Caller {
    if !proven {
        return caller.clone();
    }
    let session = SessionFacts { mfa_at: Some(caller.time), ..caller.session.as_ref().clone() };
    Caller { session: Arc::new(session), ..caller.clone() }
}
