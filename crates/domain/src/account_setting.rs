//! Account settings: defaults of the account, and what single principals chose.

use serde::{Deserialize, Serialize};

/// The principal under which the account-wide default is kept.
pub const DEFAULT_PRINCIPAL: &str = "default";

/// Every setting and the value it has when nobody chose one.
///
/// Source: the `SettingName` enumeration of the ECS model; values from the account settings page
/// of the ECS Developer Guide.
pub const SETTING_DEFAULTS: &[(&str, &str)] = &[
    ("awsvpcTrunking", "disabled"),
    ("containerInsights", "disabled"),
    ("containerInstanceLongArnFormat", "enabled"),
    ("defaultLogDriverMode", "non-blocking"),
    ("fargateEventWindows", "disabled"),
    ("fargateFIPSMode", "disabled"),
    ("fargateTaskRetirementWaitPeriod", "7"),
    ("guardDutyActivate", "off"),
    ("serviceLongArnFormat", "enabled"),
    ("tagResourceAuthorization", "on"),
    ("taskLongArnFormat", "enabled"),
];

/// One chosen setting. Written by the ECS API only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    /// A name of [`SETTING_DEFAULTS`].
    pub name: String,
    /// The chosen value.
    pub value: String,
    /// The principal's ARN, or [`DEFAULT_PRINCIPAL`].
    pub principal: String,
}
