//! What a service is on the wire: its names, protocol, operations and errors.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Codec;
use crate::{ApiError, Fault, Structure, Validate};

/// How the bodies of a service are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// JSON bodies, operation in `X-Amz-Target`, content type `application/x-amz-json-1.0`.
    AwsJson1_0,
    /// JSON bodies, operation in `X-Amz-Target`, content type `application/x-amz-json-1.1`.
    AwsJson1_1,
    /// Form bodies with `Action` and `Version`, XML answers.
    AwsQuery,
}

/// One AWS service, as its model describes it. Generated, one static per service.
#[derive(Debug)]
pub struct Api {
    /// The model's service id, for example `ECS`.
    pub service_id: &'static str,
    /// The service's full name, for example `Amazon EC2 Container Service`.
    pub full_name: &'static str,
    /// The service name in a signature's credential scope, for example `ecs`.
    pub signing_name: &'static str,
    /// The first label of the service's host name, for example `ecs`.
    pub endpoint_prefix: &'static str,
    /// What precedes the dot in `X-Amz-Target`; none for awsQuery.
    pub target_prefix: Option<&'static str>,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// The model's version, for example `2014-11-13`.
    pub api_version: &'static str,
    /// The namespace of XML answers; none for JSON protocols.
    pub xml_namespace: Option<&'static str>,
    /// The error code for an input that breaks the model's constraints.
    pub validation_error_code: &'static str,
    /// The operations served, sorted by name.
    pub operations: &'static [OperationInfo],
    /// Every operation of the model, served or not, sorted.
    pub operation_names: &'static [&'static str],
}

/// One operation in scope.
#[derive(Debug)]
pub struct OperationInfo {
    /// The operation's name, for example `RunTask`.
    pub name: &'static str,
    /// The errors the model lists for it.
    pub errors: &'static [&'static ErrorShape],
    /// Whether the model gives it an output; without one the body of the answer is empty (JSON).
    pub has_output: bool,
    /// The XML element around the output's members; awsQuery only.
    pub result_wrapper: Option<&'static str>,
}

/// One error of a service's model.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The code on the wire, for example `ClusterNotFoundException`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Who is to blame.
    pub fault: Fault,
}

impl ErrorShape {
    /// This error with a message for the caller.
    pub fn error(&self, message: impl Into<String>) -> ApiError {
        ApiError::new(self.code, self.status, self.fault, message)
    }
}

impl Api {
    /// The operation called `name`.
    ///
    /// # Errors
    /// `UnknownOperationException` (JSON) or `InvalidAction` (Query), status 400, which says
    /// whether AWS has such an operation and this service merely does not serve it.
    pub fn operation(&self, name: &str) -> Result<&'static OperationInfo, ApiError> {
        if let Ok(found) = self.operations.binary_search_by(|info| info.name.cmp(name))
            && let Some(info) = self.operations.get(found)
        {
            return Ok(info);
        }
        let code = match self.protocol {
            Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => "UnknownOperationException",
            Protocol::AwsQuery => "InvalidAction",
        };
        let message = if self.operation_names.binary_search(&name).is_ok() {
            format!(
                "`{name}` is an operation of {} that is not served here; see the list of served \
                 operations",
                self.full_name
            )
        } else {
            format!(
                "{} {} has no operation `{}`; check the spelling and the service",
                self.full_name,
                self.api_version,
                crate::validate::shown(name)
            )
        };
        Err(ApiError::sender(code, message))
    }

    /// The operation that an `X-Amz-Target` header names; `None` when the header is for another
    /// service, that is, does not start with this service's target prefix and a dot.
    pub fn operation_name_in_target<'target>(&self, target: &'target str) -> Option<&'target str> {
        target.strip_prefix(self.target_prefix?)?.strip_prefix('.')
    }
}

/// An operation at the type level. Generated, one marker type per operation in scope.
pub trait Operation: Debug + Send + Sync + 'static {
    /// The operation's name, for example `RunTask`.
    const NAME: &'static str;
    /// The service it belongs to.
    const API: &'static Api;
    /// How its bodies are written.
    type Codec: Codec;
    /// What the caller sends.
    type Input: DeserializeOwned
        + Serialize
        + Validate
        + Debug
        + Clone
        + Default
        + PartialEq
        + Send
        + Sync
        + 'static;
    /// What the caller gets.
    type Output: DeserializeOwned
        + Serialize
        + Debug
        + Clone
        + Default
        + PartialEq
        + Send
        + Sync
        + 'static;
}

/// The output of an operation whose model has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoOutput {}

impl Structure for NoOutput {
    const NAME: &'static str = "NoOutput";
    const MEMBERS: &'static [&'static str] = &[];

    fn read<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        _member: usize,
        map: &mut A,
    ) -> Result<(), A::Error> {
        map.next_value::<serde::de::IgnoredAny>().map(|_| ())
    }

    fn write<S: serde::ser::SerializeStruct>(&self, _out: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

crate::structure_serde!(NoOutput);
