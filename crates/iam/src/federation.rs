//! Identity providers outside.

use std::collections::BTreeSet;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Tags;

/// An OpenID Connect provider whose tokens `AssumeRoleWithWebIdentity` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIdConnectProvider {
    /// The account it belongs to.
    pub account: AccountId,
    /// The issuer without `https://`: host, port and path; what the ARN ends with.
    pub issuer: String,
    /// The audiences it may be for.
    pub client_ids: BTreeSet<String>,
    /// SHA-1 digests of certificates, 40 hexadecimal digits each.
    pub thumbprints: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
}

impl OpenIdConnectProvider {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, self.issuer)
    }
}
