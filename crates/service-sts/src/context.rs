//! What the operations work on.

use std::sync::Arc;

use base::{Clock, Scope};
use identity::{Directory, Policies, Sessions, Vault};
use state::State;

use crate::{MfaAttempts, ProviderKeys};

/// What the operations work on.
#[derive(Debug)]
pub struct StsContext {
    /// Where roles, users, devices and providers are.
    pub state: Arc<State>,
    /// Where credentials are found.
    pub directory: Arc<Directory>,
    /// Makes sessions.
    pub sessions: Arc<Sessions>,
    /// Opens the seeds of MFA devices.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How often codes of MFA devices were tried.
    pub mfa_attempts: MfaAttempts,
    /// The server's own account and region.
    pub scope: Scope,
    /// The keys of identity providers.
    pub provider_keys: ProviderKeys,
}

impl StsContext {
    /// What builds policies from records.
    pub(crate) fn policies(&self) -> &Policies {
        self.directory.policies()
    }
}
