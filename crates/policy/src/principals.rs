//! `Principal` and `NotPrincipal`: whom a statement of a resource's policy is about.

use base::Arn;

use crate::{Caller, PrincipalKind};

/// How a resource's policy names the caller; the more directly, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// By its account, which leaves the rest to the account's own policies.
    Account,
    /// By the role: boundaries and session policies still limit what is granted.
    Role,
    /// By itself, or by everybody.
    Direct,
}

/// One principal of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`.
    Everybody,
    /// Everyone in the account.
    Account(Box<str>),
    /// The ARN of a user, a role or a session.
    Arn(Box<str>),
    /// The unique id of a user or a role.
    Id(Box<str>),
    /// `Service`.
    Service(Box<str>),
    /// `Federated`: an identity provider.
    Federated(Box<str>),
    /// `CanonicalUser`: an account as S3 names it, which nobody is here.
    CanonicalUser,
}

/// What a statement says of principals.
#[derive(Debug, Clone)]
pub(crate) struct Principals {
    /// `NotPrincipal`.
    pub(crate) negated: bool,
    pub(crate) patterns: Vec<Pattern>,
}

impl Principals {
    /// How they name `caller`; `None` when they do not.
    pub(crate) fn grant(&self, caller: &Caller) -> Option<Grant> {
        let named = self.patterns.iter().filter_map(|pattern| pattern.grant(caller)).max();
        if self.negated { named.is_none().then_some(Grant::Direct) } else { named }
    }
}

impl Pattern {
    /// Reads a principal of `kind`, which is `AWS`, `Service`, `Federated` or `CanonicalUser`.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn parse(kind: &str, text: &str) -> Result<Self, String> {
        let wrong = |hint: &str| format!("invalid principal `{text}` in policy: {hint}");
        match kind {
            "AWS" => Self::aws(text).ok_or_else(|| {
                wrong(
                    "write an account id, `*`, or the whole ARN of an account's root, a user, a role \
                     or a session, without wildcards",
                )
            }),
            "Service" => {
                let is_name = text.contains('.')
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
                is_name
                    .then(|| Self::Service(text.to_ascii_lowercase().into()))
                    .ok_or_else(|| wrong("write a service such as `ecs-tasks.amazonaws.com`"))
            }
            "Federated" => (!text.is_empty() && !text.contains(['*', '?', ' ']))
                .then(|| Self::Federated(text.into()))
                .ok_or_else(|| wrong("write the ARN or the domain of an identity provider")),
            "CanonicalUser" => {
                let is_id = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_id.then_some(Self::CanonicalUser).ok_or_else(|| wrong("write its 64 hexadecimal digits"))
            }
            _ => Err(format!(
                "`{kind}` is not a kind of principal: write `AWS`, `Service`, `Federated` or \
                 `CanonicalUser`"
            )),
        }
    }

    fn aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everybody);
        }
        if is_account(text) {
            return Some(Self::Account(text.into()));
        }
        let is_id = text.len() >= 16 && text.len() <= 128;
        if is_id && (text.starts_with("AIDA") || text.starts_with("AROA")) {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return is_plain.then(|| Self::Id(text.into()));
        }
        let arn: Arn = text.parse().ok()?;
        let (kind, name) = arn.resource.split_once('/').unwrap_or((&arn.resource, ""));
        let is_plain =
            arn.region.is_empty() && is_account(&arn.account) && !text.contains(['*', '?', ' ']);
        match (arn.service.as_str(), kind, name.is_empty()) {
            ("iam", "root", true) if is_plain && arn.resource == "root" => {
                Some(Self::Account(arn.account.into()))
            }
            ("iam", "user" | "role", false) | ("sts", "federated-user", false) if is_plain => {
                Some(Self::Arn(text.into()))
            }
            ("sts", "assumed-role", false) if is_plain && name.contains('/') => {
                Some(Self::Arn(text.into()))
            }
            _ => None,
        }
    }

    fn grant(&self, caller: &Caller) -> Option<Grant> {
        let principal = &caller.principal;
        match (self, &principal.kind) {
            (Self::Everybody, _) => Some(Grant::Direct),
            (Self::Account(account), PrincipalKind::Root) => {
                (**account == *principal.account.as_str()).then_some(Grant::Direct)
            }
            (
                Self::Account(account),
                PrincipalKind::User { .. } | PrincipalKind::AssumedRole { .. },
            ) => (**account == *principal.account.as_str()).then_some(Grant::Account),
            (Self::Arn(arn), PrincipalKind::User { .. }) => {
                (**arn == *principal.arn).then_some(Grant::Direct)
            }
            (Self::Arn(arn), PrincipalKind::AssumedRole { role_arn, .. }) => {
                let by_session = (**arn == *principal.arn).then_some(Grant::Direct);
                by_session.or_else(|| (**arn == **role_arn).then_some(Grant::Role))
            }
            (Self::Id(id), PrincipalKind::User { .. }) => {
                (**id == *principal.user_id).then_some(Grant::Direct)
            }
            (Self::Id(id), PrincipalKind::AssumedRole { .. }) => {
                let role = principal.user_id.split(':').next();
                (role == Some(&**id)).then_some(Grant::Role)
            }
            (Self::Service(wanted), PrincipalKind::Service { name }) => {
                wanted.eq_ignore_ascii_case(name).then_some(Grant::Direct)
            }
            // Who brings a provider's token has no identity of ours yet.
            (Self::Federated(provider), PrincipalKind::Anonymous) => {
                (caller.session.federated_provider.as_deref() == Some(&**provider))
                    .then_some(Grant::Direct)
            }
            (
                Self::Account(_)
                | Self::Arn(_)
                | Self::Id(_)
                | Self::Service(_)
                | Self::Federated(_)
                | Self::CanonicalUser,
                PrincipalKind::Root
                | PrincipalKind::User { .. }
                | PrincipalKind::AssumedRole { .. }
                | PrincipalKind::Service { .. }
                | PrincipalKind::Anonymous,
            ) => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
