//! Who signed a request, and which policies apply to them.
//!
//! - [`Directory`] finds the credential of every access key: of root, of users, of sessions.
//! - [`Sessions`] makes temporary credentials; all about a session is sealed in its token.
//! - [`Policies`] builds from the records what applies to somebody.
//! - [`Vault`] seals secrets that are kept in the store or handed out.

pub mod aws_managed;
mod credentials;
mod directory;
mod keys;
mod policies;
mod sessions;
pub mod totp;
mod usage;
mod vault;

pub use access_report::ActionUse;
pub use credentials::{Claim, Credential, Credentials, Door, Refusal, RootCredentials};
pub use directory::{Directory, RootAccessKey, access_key_purpose, mfa_purpose};
pub use keys::{KeyKind, account_of_key, new_access_key, unique_id};
pub use policies::{
    BuiltInPolicyError, Policies, caller_for_service, managed_document, managed_policy,
    principal_of_role_session, principal_of_user, role_of_arn,
};
pub use sessions::{
    IssueError, IssuedCredentials, MAX_TOKEN_BYTES, Session, SessionPrincipal, SessionSpec,
    Sessions, TaskBinding, TaskPurpose,
};
pub use usage::{LastUse, Usage};
pub use vault::{Vault, VaultError, VaultKey};

#[cfg(test)]
mod tests;
