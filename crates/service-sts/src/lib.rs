//! The operations of AWS STS: one file each in `ops/`, registered in one line each here.
//!
//! A call may bring more to say who makes it: the code of an MFA device, or the token of an identity
//! provider. `identify` verifies it before anything is decided.

mod context;
mod error;
mod identify;
mod key_fetcher;
mod mfa;
mod ops;
mod provider_keys;
mod role;
mod session_policies;
mod web_identity;

use futures_util::future::BoxFuture;
use operation::{Call, Outcome, Service, Unsigned};
use wire::Api;

pub use context::StsContext;
pub use key_fetcher::{FetchError, KeyFetcher, MAX_DOCUMENT_BYTES, TIMEOUT_SECONDS};
pub use mfa::MfaAttempts;
pub use provider_keys::ProviderKeys;

operation::operations! {
    /// What is behind [`StsService`]: calls whose makers are known.
    struct Operations(StsContext) for api_sts::API {
        api_sts::ops::AssumeRole => ops::assume_role,
        api_sts::ops::AssumeRoleWithWebIdentity => ops::assume_role_with_web_identity,
        api_sts::ops::GetAccessKeyInfo => ops::get_access_key_info,
        api_sts::ops::GetCallerIdentity => ops::get_caller_identity,
        api_sts::ops::GetSessionToken => ops::get_session_token,
    }
}

/// AWS Security Token Service.
#[derive(Debug)]
pub struct StsService(Operations);

impl StsService {
    /// The service over `context`.
    pub const fn new(context: StsContext) -> Self {
        Self(Operations::new(context))
    }
}

impl Service for StsService {
    fn api(&self) -> &'static Api {
        &api_sts::API
    }

    fn unsigned(&self) -> Option<Unsigned<'_>> {
        let account = &self.0.context().scope.account;
        Some(Unsigned { operations: &["AssumeRoleWithWebIdentity"], account })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let request_id = std::sync::Arc::clone(&call.caller.request_id);
            match identify::identify(self.0.context(), call).await {
                Ok(call) => self.0.call(call).await,
                Err(error) => Outcome::failed(&api_sts::API, &error, &request_id),
            }
        })
    }
}

#[cfg(test)]
mod tests;
