//! What operations on roles share.

use base::AccountId;
use iam::Role;
use policy::{Access, DocumentError, Policy, PolicyKind};
use serde_json::Value;
use state::{Row, View};
use wire::{ApiError, Operation};

use crate::error::{malformed_policy_document, quota_exceeded};
use crate::{IamContext, access, lookup, name, quota};

/// How long a session lasts at most when nothing is said, in seconds.
pub(crate) const DEFAULT_SESSION_DURATION_S: u32 = 3600;

/// The operation's action on a role: as it is, or as it would be called.
pub(crate) fn on<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    role: Option<&str>,
) -> Access {
    let given = role.unwrap_or_default();
    let own = match ctx.state.view().identities().role(&iam::key(account, given)) {
        Some(role) => access::on::<Op>(role.arn(), &role.tags),
        None => Access::of::<Op>(iam::arn(account, "role", name::DEFAULT_PATH, given)),
    };
    own.with_shown(format!("role {given}"))
}

/// The operation's action on a role with `iam:PermissionsBoundary` of that role.
pub(crate) fn on_bounded<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    role: Option<&str>,
) -> Access {
    let access = on::<Op>(ctx, account, role);
    let view = ctx.state.view();
    let role = view.identities().role(&iam::key(account, role.unwrap_or_default()));
    let boundary = role.and_then(|role| role.permissions_boundary.as_deref());
    access::with_some(access, "iam:permissionsboundary", boundary)
}

/// The role of this name, to be changed: service-linked roles are for their services only.
pub(crate) fn changeable<'a>(
    view: &'a View,
    account: &AccountId,
    name: &str,
) -> Result<&'a Row<Role>, ApiError> {
    let role = lookup::role(view, account, name)?;
    if role.linked_service.is_some() {
        return Err(api_iam::errors::unmodifiable_entity_exception(format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.name
        )));
    }
    Ok(role)
}

/// Checks a trust policy; returns the ARNs and ids that it trusts as `AWS`.
///
/// # Errors
/// `MalformedPolicyDocument` with every problem and its place; `LimitExceeded` beyond 2,048
/// characters.
pub(crate) fn check_trust_policy(text: &str) -> Result<Vec<String>, ApiError> {
    let policy = Policy::parse(text, PolicyKind::Trust).map_err(|problems| {
        let is_principal = |error: &DocumentError| {
            error.problem.to_ascii_lowercase().starts_with("invalid principal")
        };
        let what = if problems.iter().any(is_principal) {
            "Invalid principal in policy"
        } else {
            "Syntax errors in policy"
        };
        let problems: Vec<String> = problems.iter().map(DocumentError::to_string).collect();
        malformed_policy_document(format!("{what}: {}.", problems.join("; ")))
    })?;
    if policy.size() > quota::TRUST_POLICY_SIZE {
        return Err(quota_exceeded("ACLSizePerRole", quota::TRUST_POLICY_SIZE));
    }
    Ok(trusted(text))
}

/// The texts below `Principal.AWS` of every statement of a document that was checked.
fn trusted(text: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let all = |value: Option<&Value>| match value {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    all(document.get("Statement"))
        .iter()
        .flat_map(|statement| all(statement.pointer("/Principal/AWS")))
        .filter_map(|principal| principal.as_str().map(str::to_owned))
        .collect()
}

/// Whether the users and roles that a policy trusts are there, as far as their accounts are known.
///
/// # Errors
/// `MalformedPolicyDocument` with the first that is not.
pub(crate) fn check_trusted(
    view: &View,
    account: &AccountId,
    trusted: &[String],
) -> Result<(), ApiError> {
    let identities = view.identities();
    let is_missing = |arn: &str| {
        let user = name::parse_arn(arn, "user");
        let Some(parsed) = user.or_else(|| name::parse_arn(arn, "role")) else { return false };
        let Ok(owner) = parsed.account.parse::<AccountId>() else { return false };
        if owner != *account && identities.account(owner.as_str()).is_none() {
            return false;
        }
        let key = iam::key(&owner, parsed.name);
        let found = if user.is_some() {
            identities.user(&key).map(|user| user.arn())
        } else {
            identities.role(&key).map(|role| role.arn())
        };
        found.as_deref() != Some(arn)
    };
    match trusted.iter().find(|arn| is_missing(arn)) {
        Some(arn) => Err(malformed_policy_document(format!(
            "Invalid principal in policy: \"AWS\":\"{arn}\""
        ))),
        None => Ok(()),
    }
}

/// How long a session may last, as it was given; the model has checked the range.
pub(crate) fn session_duration_s(given: Option<i32>) -> u32 {
    given.and_then(|given| u32::try_from(given).ok()).unwrap_or(DEFAULT_SESSION_DURATION_S)
}

/// Whether the account may have one more role.
pub(crate) fn check_quota(view: &View, account: &AccountId) -> Result<(), ApiError> {
    let roles = view.identities().roles().filter(|role| role.account == *account);
    if roles.count() >= quota::ROLES {
        return Err(quota_exceeded("RolesPerAccount", quota::ROLES));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_trust_policy;

    fn check(document: &str, code: &str, message: &str) {
        let error = check_trust_policy(document).unwrap_err();
        assert_eq!(error.code, code, "{document}");
        assert!(error.message.starts_with(message), "{}", error.message);
    }

    #[test]
    fn a_trust_policy_is_refused_in_the_words_of_iam() {
        let of = |principal: &str| {
            format!(
                r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}]}}"#
            )
        };
        check_trust_policy(&of(r#"{"Service": "ecs-tasks.amazonaws.com"}"#)).unwrap();
        let wrong = of(r#"{"AWS": "nobody"}"#);
        check(&wrong, "MalformedPolicyDocument", "Invalid principal in policy: ");
        check("{}", "MalformedPolicyDocument", "Syntax errors in policy: ");
        let services = vec!["\"ecs-tasks.amazonaws.com\""; 100].join(",");
        let long = of(&format!(r#"{{"Service": [{services}]}}"#));
        check(&long, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048");
    }
}
