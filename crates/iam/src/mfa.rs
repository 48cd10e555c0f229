//! Second factors.

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Sealed, Tags, arn};

/// A virtual device that shows time-based one-time passwords (RFC 6238: SHA-1, six digits, 30 s).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDevice {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name, as given.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The secret that the codes are made from.
    pub seed: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
    /// The name of the user it is enabled for.
    pub user: Option<String>,
    /// When it was enabled.
    pub enabled_at: Option<Timestamp>,
    /// The time step of the last code that was accepted: neither it nor an earlier one is again.
    pub last_step: u64,
    /// By how many time steps the device is off, found when it was enabled or resynchronised.
    pub drift_steps: i64,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl MfaDevice {
    /// Its serial number, which is its ARN.
    pub fn serial_number(&self) -> String {
        arn(&self.account, "mfa", &self.path, &self.name)
    }
}
