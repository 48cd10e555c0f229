//! Clusters: what a request may say about one.

use api_ecs::types::{
    ClusterConfiguration, ClusterSetting, ClusterSettingName, CreateClusterRequest,
    ExecuteCommandLogging,
};
use domain::{DEFAULT_PRINCIPAL, Document};
use serde::Serialize;
use serde_json::json;
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{EcsContext, document};

/// The capacity providers that every account has.
const OWN_CAPACITY_PROVIDERS: &[&str] = &["FARGATE", "FARGATE_SPOT"];

/// `settings`; `containerInsights` is as the account has it when the request does not say.
pub(crate) fn settings(
    ctx: &EcsContext,
    given: Option<&[ClusterSetting]>,
) -> Result<Document, ApiError> {
    let mut insights = None;
    for setting in given.unwrap_or_default() {
        let value = setting.value.as_deref().unwrap_or_default();
        match setting.name {
            Some(ClusterSettingName::ContainerInsights) => {}
            Some(ClusterSettingName::Unrecognized(_)) | None => {
                return Err(invalid_parameter(
                    "The cluster setting name must be containerInsights.",
                ));
            }
        }
        if !matches!(value, "enabled" | "disabled" | "enhanced") {
            return Err(invalid_parameter(format!(
                "Invalid value `{value}` of the cluster setting containerInsights: use enhanced, enabled or disabled."
            )));
        }
        insights = Some(value.to_owned());
    }
    let value = insights.unwrap_or_else(|| {
        let view = ctx.state.view();
        let row = view.account_setting("containerInsights", DEFAULT_PRINCIPAL);
        row.map_or_else(|| "disabled".to_owned(), |row| row.value.value.clone())
    });
    Ok(Document(json!([{ "name": "containerInsights", "value": value }])))
}

/// The wire form of a member, if it is given.
pub(crate) fn document<T: Serialize>(given: Option<&T>) -> Result<Option<Document>, ApiError> {
    given.map(document::write).transpose()
}

/// `capacityProviders` and `defaultCapacityProviderStrategy`.
pub(crate) fn capacity_providers(
    input: &CreateClusterRequest,
) -> Result<Option<Document>, ApiError> {
    if input.default_capacity_provider_strategy.as_ref().is_some_and(|items| !items.is_empty()) {
        return Err(invalid_parameter(
            "A defaultCapacityProviderStrategy is not supported: name the launchType when you run tasks and create services.",
        ));
    }
    let Some(given) = &input.capacity_providers else { return Ok(None) };
    match given.iter().find(|name| !OWN_CAPACITY_PROVIDERS.contains(&name.as_str())) {
        Some(unknown) => Err(invalid_parameter(format!(
            "The specified capacity provider '{unknown}' was not found. Specify a valid name or ARN and try again."
        ))),
        None => document(Some(given)),
    }
}

/// `configuration`: a log destination belongs to OVERRIDE, and OVERRIDE needs one.
pub(crate) fn check_configuration(given: Option<&ClusterConfiguration>) -> Result<(), ApiError> {
    let Some(exec) = given.and_then(|given| given.execute_command_configuration.as_ref()) else {
        return Ok(());
    };
    let overrides = exec.logging == Some(ExecuteCommandLogging::Override);
    match &exec.log_configuration {
        None if overrides => Err(invalid_parameter(
            "executeCommandConfiguration.logConfiguration is required when logging is OVERRIDE.",
        )),
        Some(_) if !overrides => Err(invalid_parameter(
            "executeCommandConfiguration.logging must be OVERRIDE when a logConfiguration is specified.",
        )),
        Some(logs)
            if logs.cloud_watch_log_group_name.is_none() && logs.s3_bucket_name.is_none() =>
        {
            Err(invalid_parameter(
                "executeCommandConfiguration.logConfiguration needs a cloudWatchLogGroupName or an s3BucketName.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
