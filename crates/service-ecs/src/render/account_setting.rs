//! Account settings as they are answered.

use api_ecs::types::{Setting, SettingType};
use base::Scope;
use domain::DEFAULT_PRINCIPAL;

/// A setting as it is answered.
pub(crate) fn described(scope: &Scope, name: &str, value: &str, principal: &str) -> Setting {
    let principal_arn = match principal {
        DEFAULT_PRINCIPAL => format!("arn:aws:iam::{}:root", scope.account),
        other => other.to_owned(),
    };
    Setting {
        name: Some(name.into()),
        value: Some(value.to_owned()),
        principal_arn: Some(principal_arn),
        r#type: Some(match name {
            "guardDutyActivate" => SettingType::AwsManaged,
            _ => SettingType::User,
        }),
    }
}
