//! Names, paths and ARNs as callers give them.

use base::AccountId;
use policy::{Caller, PrincipalKind};
use wire::ApiError;

use crate::error::validation;

/// The path of what is made without one.
pub(crate) const DEFAULT_PATH: &str = "/";

/// The path that was given, or `/`.
pub(crate) fn path_or_default(given: Option<String>) -> String {
    given.unwrap_or_else(|| DEFAULT_PATH.to_owned())
}

/// Whether a path is one that a list was asked for.
pub(crate) fn has_prefix(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix))
}

/// The user that is meant: the one that was given, or who calls.
///
/// # Errors
/// When none was given and who calls is no user.
pub(crate) fn user_or_caller<'a>(
    caller: &'a Caller,
    given: Option<&'a str>,
) -> Result<&'a str, ApiError> {
    match (given, &caller.principal.kind) {
        (Some(name), _) => Ok(name),
        (None, PrincipalKind::User { name }) => Ok(name),
        (
            None,
            PrincipalKind::Root
            | PrincipalKind::AssumedRole { .. }
            | PrincipalKind::Service { .. }
            | PrincipalKind::Anonymous,
        ) => Err(validation("Must specify userName when calling with non-User credentials")),
    }
}

/// The parts of an ARN of something of IAM with a path and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedArn<'a> {
    /// The account, or `aws`.
    pub(crate) account: &'a str,
    /// `/` or `/…/`.
    pub(crate) path: &'a str,
    /// The name.
    pub(crate) name: &'a str,
}

impl NamedArn<'_> {
    /// Whether it is of this account.
    pub(crate) fn is_of(&self, account: &AccountId) -> bool {
        self.account == account.as_str()
    }
}

/// Reads `arn:aws:iam::ACCOUNT:KIND/path/name`; `None` when it is not of that form.
pub(crate) fn parse_arn<'a>(arn: &'a str, kind: &str) -> Option<NamedArn<'a>> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let rest = resource.strip_prefix(kind)?;
    let slash = rest.rfind('/')?.checked_add(1)?;
    let (path, name) = rest.split_at_checked(slash)?;
    (path.starts_with('/') && !name.is_empty()).then_some(NamedArn { account, path, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_account_path_and_name() {
        let check = |arn, expected| {
            let found = parse_arn(arn, "policy").map(|arn| (arn.account, arn.path, arn.name));
            assert_eq!(found, expected, "{arn}");
        };
        check("arn:aws:iam::123456789012:policy/one", Some(("123456789012", "/", "one")));
        check("arn:aws:iam::aws:policy/a/b/one", Some(("aws", "/a/b/", "one")));
        check("arn:aws:iam::123456789012:policy/", None);
        check("arn:aws:iam::123456789012:policyone", None);
        check("arn:aws:iam::123456789012:role/one", None);
        check("arn:aws:s3:::policy/one", None);
    }
}
