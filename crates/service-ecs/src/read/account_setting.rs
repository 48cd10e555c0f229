//! Account settings: names, values and principals.

use api_ecs::types::SettingName;
use base::{Arn, Scope};
use domain::{DEFAULT_PRINCIPAL, SETTING_DEFAULTS};
use policy::{Principal, PrincipalKind};
use state::View;
use wire::ApiError;

use crate::error::invalid_parameter;

/// The principal a record is kept under. Root stands for the whole account: what it chooses holds
/// for everybody who chose nothing.
///
/// A session's choices are those of its role.
pub(crate) fn principal(
    scope: &Scope,
    given: Option<&str>,
    caller: &Principal,
) -> Result<String, ApiError> {
    let own = match &caller.kind {
        PrincipalKind::AssumedRole { role_arn, .. } => role_arn,
        PrincipalKind::Root
        | PrincipalKind::User { .. }
        | PrincipalKind::Service { .. }
        | PrincipalKind::Anonymous => &caller.arn,
    };
    let arn = given.filter(|given| !given.is_empty()).unwrap_or(own);
    let parsed: Option<Arn> = arn.parse().ok();
    let own = parsed.filter(|parsed| {
        matches!(parsed.service.as_str(), "iam" | "sts") && parsed.account == scope.account.as_str()
    });
    match own {
        Some(own) if own.resource == "root" => Ok(DEFAULT_PRINCIPAL.to_owned()),
        Some(own) if ["user/", "role/"].iter().any(|kind| own.resource.starts_with(kind)) => {
            Ok(arn.to_owned())
        }
        Some(_) | None => Err(invalid_parameter(format!(
            "Invalid principalArn `{arn}`: give the ARN of a user, a role or the root of this account."
        ))),
    }
}

/// A setting's name, checked.
pub(crate) fn name(given: Option<&SettingName>) -> Result<&'static str, ApiError> {
    let given = given.map(SettingName::as_str).unwrap_or_default();
    let known = SETTING_DEFAULTS.iter().find(|(name, _)| *name == given);
    known
        .map(|(name, _)| *name)
        .ok_or_else(|| invalid_parameter(format!("Invalid setting name `{given}`.")))
}

/// Whether `value` may be chosen for the setting `name`.
pub(crate) fn check_value(name: &str, value: &str) -> Result<(), ApiError> {
    let allowed: &[&str] = match name {
        // Every ARN is made in the long form.
        "serviceLongArnFormat" | "taskLongArnFormat" | "containerInstanceLongArnFormat" => {
            &["enabled"]
        }
        "containerInsights" => &["enhanced", "enabled", "disabled"],
        "tagResourceAuthorization" => &["on", "off"],
        "fargateTaskRetirementWaitPeriod" => &["0", "7", "14"],
        "defaultLogDriverMode" => &["blocking", "non-blocking"],
        "guardDutyActivate" => {
            return Err(invalid_parameter(
                "The setting guardDutyActivate is managed by AWS and cannot be changed.",
            ));
        }
        _ => &["enabled", "disabled"],
    };
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "Invalid value `{value}` of the setting {name}: use {}.",
        allowed.join(" or ")
    )))
}

/// The value in force for a principal.
pub(crate) fn effective<'a>(view: &'a View, name: &str, principal: &str) -> &'a str {
    let chosen = view
        .account_setting(name, principal)
        .or_else(|| view.account_setting(name, DEFAULT_PRINCIPAL));
    let default = || {
        let found = SETTING_DEFAULTS.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value).unwrap_or_default()
    };
    chosen.map_or_else(default, |row| row.value.value.as_str())
}
