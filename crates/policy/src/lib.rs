//! Who may do what: the only maker of proof that a call is authorised.
//!
//! An operation takes an [`Authorized`] value; nothing but [`authorize`] makes one, so that no
//! operation can run unasked. Today the only principal is the account's root, which may do
//! everything in its own account and nothing in another.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base::{AccountId, Arn};
use wire::Operation;

/// Who is calling: the owner of the credentials that signed the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name in policies and messages: `arn:aws:iam::123456789012:root`.
    pub arn: String,
    /// The unique id that `GetCallerIdentity` answers; for root the account id.
    pub user_id: String,
    /// What kind of principal it is.
    pub kind: PrincipalKind,
}

/// The kinds of principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
}

impl Principal {
    /// The root of `account`.
    pub fn root(account: AccountId) -> Self {
        Self {
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_string(),
            kind: PrincipalKind::Root,
            account,
        }
    }
}

/// Who is calling, with what policies may ask about the request itself.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose credentials signed the request.
    pub principal: Arc<Principal>,
    /// The request's identifier, a UUID, as the caller will see it.
    pub request_id: Arc<str>,
    /// The address the request came from.
    pub source_ip: IpAddr,
    /// The `user-agent` header, when it is text.
    pub user_agent: Option<String>,
}

/// Proof that `caller` may perform `Op` on what `input` names, and the input itself.
///
/// The input cannot be changed after the decision; read it with [`Authorized::input`] or take it
/// out, which ends the proof.
#[derive(Debug)]
pub struct Authorized<Op: Operation> {
    caller: Caller,
    input: Op::Input,
}

impl<Op: Operation> Authorized<Op> {
    /// Who is calling.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was asked for.
    pub const fn input(&self) -> &Op::Input {
        &self.input
    }

    /// Ends the proof and gives its parts away.
    pub fn into_parts(self) -> (Caller, Op::Input) {
        (self.caller, self.input)
    }
}

/// A call that is not allowed, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "User: {principal} is not authorized to perform: {action} on resource: {resource} because {reason}"
)]
pub struct Denied {
    /// The ARN of who was calling.
    pub principal: String,
    /// The action: `ecs:RunTask`.
    pub action: String,
    /// The first resource that the principal may not use.
    pub resource: String,
    /// Which kind of policy was missing or denied.
    pub reason: DeniedReason,
}

/// Why a call is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeniedReason {
    /// The resource belongs to another account, which has not shared it.
    OtherAccount {
        /// The action that no policy of the resource allows.
        action: String,
    },
}

impl fmt::Display for DeniedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAccount { action } => {
                write!(f, "no resource-based policy allows the {action} action")
            }
        }
    }
}

/// Decides whether `caller` may perform `Op` with `input` on `resources`.
///
/// `resources` are ARNs, or `*` for operations without resources. A text that is no ARN decides
/// nothing: the operation itself will refuse it.
///
/// # Errors
/// [`Denied`] names the first resource that the caller may not use.
pub fn authorize<Op: Operation>(
    caller: Caller,
    resources: &[String],
    input: Op::Input,
) -> Result<Authorized<Op>, Denied> {
    match caller.principal.kind {
        PrincipalKind::Root => {
            let own = &caller.principal.account;
            if let Some(resource) = resources.iter().find(|resource| is_elsewhere(resource, own)) {
                let action = format!("{}:{}", Op::API.signing_name, Op::NAME);
                return Err(Denied {
                    principal: caller.principal.arn.clone(),
                    action: action.clone(),
                    resource: resource.clone(),
                    reason: DeniedReason::OtherAccount { action },
                });
            }
        }
    }
    Ok(Authorized { caller, input })
}

/// Whether `resource` is an ARN of another account than `own`.
fn is_elsewhere(resource: &str, own: &AccountId) -> bool {
    resource.parse::<Arn>().is_ok_and(|arn| !arn.account.is_empty() && arn.account != own.as_str())
}

#[cfg(test)]
mod tests;
