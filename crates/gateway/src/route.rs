//! Which service and operation a request is for, and in which protocol it wants its answer.

use std::sync::Arc;

use http::{HeaderMap, Method, header};
use operation::{Service, Unsigned};
use wire::{Api, ApiError, Form, Protocol};

/// What the headers say about the request's destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// awsJson: the text of `X-Amz-Target`.
    Target(&'a str),
    /// awsJson by its content type, without a target.
    NoTarget,
    /// awsQuery: the signature's scope and the form's `Action` decide.
    Action,
}

/// Stand-ins that tell the codec how to write an error when no service is known.
static UNROUTED_JSON: Api = unrouted(Protocol::AwsJson1_1);
static UNROUTED_QUERY: Api = unrouted(Protocol::AwsQuery);

const fn unrouted(protocol: Protocol) -> Api {
    Api {
        service_id: "none",
        full_name: "none",
        signing_name: "none",
        endpoint_prefix: "none",
        target_prefix: None,
        protocol,
        api_version: "none",
        xml_namespace: None,
        validation_error_code: "ValidationError",
        operations: &[],
        operation_names: &[],
    }
}

/// Reads the destination off the headers.
pub(crate) fn wanted(headers: &HeaderMap) -> Wanted<'_> {
    if let Some(target) = headers.get("x-amz-target") {
        return Wanted::Target(target.to_str().unwrap_or_default());
    }
    let is_json =
        |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/x-amz-json");
    if headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        Wanted::NoTarget
    } else {
        Wanted::Action
    }
}

/// The services of a gateway.
pub(crate) struct Routes {
    services: Vec<Arc<dyn Service>>,
}

impl Routes {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>) -> Self {
        Self { services }
    }

    /// The service that `wanted` and the signature's service name lead to.
    pub(crate) fn service(
        &self,
        wanted: Wanted<'_>,
        signing_name: Option<&str>,
    ) -> Option<&Arc<dyn Service>> {
        self.services.iter().find(|service| {
            let api = service.api();
            match wanted {
                Wanted::Target(target) => api.operation_name_in_target(target).is_some(),
                Wanted::NoTarget => is_json(api) && signing_name == Some(api.signing_name),
                Wanted::Action => !is_json(api) && signing_name == Some(api.signing_name),
            }
        })
    }

    /// The service, with one of its operations that need no signature, that an unsigned form names.
    pub(crate) fn unsigned(
        &self,
        method: &Method,
        form: &[u8],
    ) -> Option<(&Arc<dyn Service>, Unsigned<'_>, &'static str)> {
        self.services.iter().find_map(|service| {
            let unsigned = service.unsigned().filter(|_| !is_json(service.api()))?;
            let name = operation_name(service.api(), Wanted::Action, method, form).ok()?;
            let name = unsigned.operations.iter().find(|operation| **operation == name)?;
            Some((service, unsigned, *name))
        })
    }

    /// How to write an error to a request that has no service.
    pub(crate) fn unrouted(wanted: Wanted<'_>) -> &'static Api {
        match wanted {
            Wanted::Target(_) | Wanted::NoTarget => &UNROUTED_JSON,
            Wanted::Action => &UNROUTED_QUERY,
        }
    }

    /// The error for a request that has no service.
    pub(crate) fn no_service(&self, wanted: Wanted<'_>, signing_name: &str) -> ApiError {
        let names = |part: fn(&Api) -> Option<&'static str>| {
            let all: Vec<_> = self.services.iter().filter_map(|one| part(one.api())).collect();
            all.join("`, `")
        };
        match wanted {
            Wanted::Target(target) => ApiError::sender(
                "UnknownOperationException",
                format!(
                    "no service here has the X-Amz-Target `{}`; those served start with `{}`",
                    target.chars().take(200).collect::<String>(),
                    names(|api| api.target_prefix)
                ),
            ),
            Wanted::NoTarget => ApiError::sender(
                "UnknownOperationException",
                "the request has no X-Amz-Target header: it names the service and the operation",
            ),
            Wanted::Action => ApiError::sender(
                "InvalidAction",
                format!(
                    "no service here takes forms signed for `{}`; those served are `{}`",
                    signing_name.chars().take(64).collect::<String>(),
                    names(|api| (!is_json(api)).then_some(api.signing_name))
                ),
            ),
        }
    }
}

const fn is_json(api: &Api) -> bool {
    match api.protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => true,
        Protocol::AwsQuery => false,
    }
}

/// The operation that a request names, served or not, as its model spells it; for metrics.
pub(crate) fn known_name(api: &Api, name: &str) -> &'static str {
    match api.operation_names.binary_search(&name) {
        Ok(index) => api.operation_names.get(index).copied().unwrap_or("unknown"),
        Err(_) => "unknown",
    }
}

/// The name of the operation in a request that was routed to `api`.
pub(crate) fn operation_name(
    api: &Api,
    wanted: Wanted<'_>,
    method: &Method,
    form: &[u8],
) -> Result<String, ApiError> {
    match wanted {
        Wanted::Target(target) => {
            if method != Method::POST {
                return Err(ApiError::sender(
                    "UnknownOperationException",
                    format!("{} takes POST requests, not {method}", api.full_name),
                ));
            }
            Ok(api.operation_name_in_target(target).unwrap_or_default().to_owned())
        }
        Wanted::NoTarget => Err(ApiError::sender(
            "UnknownOperationException",
            "the request has no X-Amz-Target header: it names the service and the operation",
        )),
        Wanted::Action => {
            let form = Form::parse(form)?;
            let action = form.get("Action").ok_or_else(|| {
                ApiError::sender("MissingAction", "the request has no `Action` parameter")
            })?;
            match form.get("Version") {
                Some(version) if version != api.api_version => Err(ApiError::sender(
                    "InvalidAction",
                    format!(
                        "Could not find operation {} for version {}; this is version {}",
                        action.chars().take(128).collect::<String>(),
                        version.chars().take(32).collect::<String>(),
                        api.api_version
                    ),
                )),
                Some(_) | None => Ok(action.to_owned()),
            }
        }
    }
}
