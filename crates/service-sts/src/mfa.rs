//! The second factor: codes of virtual MFA devices.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::{AccountId, Arn, Timestamp};
use iam::MfaDevice;
use identity::{mfa_purpose, totp};
use policy::{Caller, PrincipalKind};
use state::{Change, Row, StateError};
use wire::ApiError;

use crate::{StsContext, error};

/// How often a code is looked at again when somebody else used the device meanwhile.
const ATTEMPTS: usize = 3;

/// How many codes of a device may be tried without a right one among them, in [`WINDOW_MS`].
const MAX_TRIES: u32 = 5;
/// From the first try.
const WINDOW_MS: i64 = 5 * 60 * 1000;
/// Of how many devices tries are counted.
const MAX_DEVICES: usize = 10_000;

const TOO_MANY: &str = "MultiFactorAuthentication failed, too many wrong codes were tried: wait five \
                        minutes and try again.";
const NOT_VALID: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
const NOT_YOURS: &str = "MultiFactorAuthentication failed, unable to validate MFA code. Please \
                         verify your MFA serial number is valid and associated with this user.";
const NOT_BOTH: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";

/// Counts the codes that are tried of each device: six digits can be guessed by who may try often enough.
#[derive(Debug, Default)]
pub struct MfaAttempts(Mutex<BTreeMap<String, Tries>>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    since: Timestamp,
    count: u32,
}

impl MfaAttempts {
    /// Counts a try of the device, unless there were too many.
    fn may_try(&self, serial_number: &str, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |tries: &Tries| !(0..WINDOW_MS).contains(&now.ms_since(tries.since));
        if all.len() >= MAX_DEVICES && !all.contains_key(serial_number) {
            all.retain(|_, tries| !is_over(tries));
            if all.len() >= MAX_DEVICES {
                return false;
            }
        }
        let tries = all.entry(serial_number.to_owned()).or_insert(Tries { since: now, count: 0 });
        if is_over(tries) {
            *tries = Tries { since: now, count: 0 };
        }
        tries.count = tries.count.saturating_add(1);
        tries.count <= MAX_TRIES
    }

    fn succeeded(&self, serial_number: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(serial_number);
    }
}

/// Verifies the code that came with a call and makes it worthless. Returns whether there was one.
///
/// # Errors
/// `AccessDenied` when the device is not the caller's, the code is wrong or was used before, only one of
/// device and code was given, or too many codes were tried.
pub(crate) async fn prove(
    context: &StsContext,
    caller: &Caller,
    serial_number: Option<&str>,
    code: Option<&str>,
) -> Result<bool, ApiError> {
    let (serial_number, code) = match (serial_number, code) {
        (None, None) => return Ok(false),
        (Some(serial_number), Some(code)) => (serial_number, code),
        (Some(_), None) | (None, Some(_)) => return Err(error::access_denied(NOT_BOTH)),
    };
    for _ in 0..ATTEMPTS {
        let device = device(context, caller, serial_number);
        let device = device.ok_or_else(|| error::access_denied(NOT_YOURS))?;
        let seed = context.vault.open(&mfa_purpose(serial_number), &device.seed).map_err(|_| {
            tracing::error!(serial_number, "the seed of the MFA device cannot be opened");
            error::access_denied(NOT_YOURS)
        })?;
        let now = context.clock.now();
        if !context.mfa_attempts.may_try(serial_number, now) {
            return Err(error::access_denied(TOO_MANY));
        }
        let step = totp::verify(&seed, code, now, device.last_step, device.drift_steps);
        let last_step = step.ok_or_else(|| error::access_denied(NOT_VALID))?;
        let mut change = Change::new();
        change.update(&device, &MfaDevice { last_step, ..device.value.as_ref().clone() });
        match context.state.commit(change).await {
            Ok(_) => {
                context.mfa_attempts.succeeded(serial_number);
                return Ok(true);
            }
            Err(StateError::Conflict { .. }) => {}
            Err(error) => return Err(error::state(&error)),
        }
    }
    Err(error::access_denied(NOT_VALID))
}

/// The device with this serial number, when it is enabled for the user who calls.
fn device(context: &StsContext, caller: &Caller, serial_number: &str) -> Option<Row<MfaDevice>> {
    let PrincipalKind::User { name } = &caller.principal.kind else { return None };
    let arn: Arn = serial_number.parse().ok()?;
    let account: AccountId = arn.account.parse().ok()?;
    let (_, device) = arn.resource.rsplit_once('/')?;
    let view = context.state.view();
    let device = view.identities().mfa_device(&iam::key(&account, device))?;
    let is_own = account == caller.principal.account
        && device.serial_number() == serial_number
        && device.enabled_at.is_some()
        && device.user.as_ref().is_some_and(|user| user.eq_ignore_ascii_case(name));
    is_own.then(|| device.clone())
}
