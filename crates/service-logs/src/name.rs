//! Names and ARNs of groups and streams.

use base::{Arn, Scope};
use wire::ApiError;

use crate::error::{group_not_found, invalid_parameter};

const GROUP_PREFIX: &str = "log-group:";

/// `arn:aws:logs:us-east-1:123456789012:log-group:NAME`.
pub(crate) fn group_arn(scope: &Scope, group: &str) -> String {
    scope.arn("logs", format_args!("{GROUP_PREFIX}{group}"))
}

/// The same with `:*`, which stands for its streams: what answers name.
pub(crate) fn group_arn_with_streams(scope: &Scope, group: &str) -> String {
    scope.arn("logs", format_args!("{GROUP_PREFIX}{group}:*"))
}

/// `arn:aws:logs:us-east-1:123456789012:log-group:NAME:log-stream:NAME`.
pub(crate) fn stream_arn(scope: &Scope, group: &str, stream: &str) -> String {
    scope.arn("logs", format_args!("{GROUP_PREFIX}{group}:log-stream:{stream}"))
}

/// The name in a group's ARN; `None` for other texts. The model refuses `:*` at its end.
fn name_in_arn(text: &str) -> Option<(Arn, String)> {
    let arn: Arn = text.parse().ok()?;
    let name = arn.resource.strip_prefix(GROUP_PREFIX)?.to_owned();
    (arn.service == "logs" && !name.is_empty() && !name.contains(':')).then_some((arn, name))
}

/// The group that a request means by `logGroupName` or `logGroupIdentifier`.
///
/// # Errors
/// `InvalidParameterException` unless exactly one is given, in the right form;
/// `ResourceNotFoundException` for a group elsewhere.
pub(crate) fn group(
    scope: &Scope,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<String, ApiError> {
    match (name, identifier) {
        (Some(_), Some(_)) => Err(invalid_parameter(
            "LogGroup name and LogGroup identifier are mutually exclusive parameters.",
        )),
        (None, None) => {
            Err(invalid_parameter("Either logGroupName or logGroupIdentifier must be specified."))
        }
        (Some(name), None) => Ok(name.to_owned()),
        (None, Some(arn)) if arn.starts_with("arn:") => group_by_arn(scope, arn),
        (None, Some(name)) => Ok(name.to_owned()),
    }
}

/// The group of an ARN.
///
/// # Errors
/// `InvalidParameterException` for another text; `ResourceNotFoundException` for a group
/// elsewhere.
pub(crate) fn group_by_arn(scope: &Scope, text: &str) -> Result<String, ApiError> {
    let (arn, name) = name_in_arn(text).ok_or_else(|| {
        let shown: String = text.chars().take(200).collect();
        invalid_parameter(format!(
            "`{shown}` is not the ARN of a log group: expected \
             arn:aws:logs:region:account:log-group:name"
        ))
    })?;
    if arn.region == scope.region.as_str() && arn.account == scope.account.as_str() {
        Ok(name)
    } else {
        Err(group_not_found())
    }
}
