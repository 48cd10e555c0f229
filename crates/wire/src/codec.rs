//! From bytes to typed inputs, and from outputs and errors to bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Api, ApiError, NoOutput, Operation, OperationInfo, Protocol, Validate, Violations};
use crate::{json, query, xml};

/// An answer, ready for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The `content-type` header.
    pub content_type: &'static str,
    /// The `x-amzn-errortype` header: the error's code; none for a success and for awsQuery.
    pub error_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// One way of writing bodies. A type rather than a value, so that a program holds the code of a
/// service's own protocol only.
pub trait Codec {
    /// Reads the input of the operation called `name`.
    ///
    /// # Errors
    /// Says what is wrong with the body, and where.
    fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, ApiError>;

    /// Writes an output.
    ///
    /// # Errors
    /// Says what could not be written; a defect of the service.
    fn encode<T: Serialize>(
        api: &Api,
        info: &OperationInfo,
        output: &T,
        request_id: &str,
    ) -> Result<Vec<u8>, String>;
}

/// awsJson1.0 and awsJson1.1.
#[derive(Debug)]
pub struct AwsJson;

/// awsQuery.
#[derive(Debug)]
pub struct AwsQuery;

impl Codec for AwsJson {
    fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, ApiError> {
        json::decode(name, body)
    }

    fn encode<T: Serialize>(
        _api: &Api,
        info: &OperationInfo,
        output: &T,
        _request_id: &str,
    ) -> Result<Vec<u8>, String> {
        if info.has_output {
            json::encode(output).map_err(|error| error.to_string())
        } else {
            Ok(Vec::new())
        }
    }
}

impl Codec for AwsQuery {
    fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, ApiError> {
        query::Form::parse(body)?.decode(name)
    }

    fn encode<T: Serialize>(
        api: &Api,
        info: &OperationInfo,
        output: &T,
        request_id: &str,
    ) -> Result<Vec<u8>, String> {
        xml::encode(api, info, output, request_id).map_err(|error| error.to_string())
    }
}

/// Reads the input of `O` from a body and holds it against the model's constraints. For awsQuery,
/// `body` is the form: the body of a POST or the query string of a GET.
///
/// # Errors
/// - `SerializationException` (JSON) or `MalformedInput` (Query), status 400: what is wrong, where.
/// - The service's validation error, status 400, naming all broken constraints.
pub fn decode<O: Operation>(body: &[u8]) -> Result<O::Input, ApiError> {
    let input: O::Input = O::Codec::decode(O::NAME, body)?;
    let mut violations = Violations::default();
    input.validate(&mut violations);
    violations.into_result(O::API.validation_error_code)?;
    Ok(input)
}

/// Writes the output of `O`. `request_id` appears in the body for awsQuery only.
pub fn encode<O: Operation>(output: &O::Output, request_id: &str) -> Response {
    let written = O::API
        .operation(O::NAME)
        .map_err(|error| error.to_string())
        .and_then(|info| O::Codec::encode(O::API, info, output, request_id));
    match written {
        Ok(body) => Response {
            status: 200,
            content_type: content_type(O::API.protocol),
            error_type: None,
            body,
        },
        Err(reason) => {
            let message = format!("the answer to {} cannot be written: {reason}", O::NAME);
            encode_error(O::API, &ApiError::receiver("InternalFailure", message), request_id)
        }
    }
}

/// Writes an error in the protocol of `api`. `request_id` appears in the body for awsQuery only.
pub fn encode_error(api: &Api, error: &ApiError, request_id: &str) -> Response {
    let (error_type, body) = match api.protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            (Some(error.code.to_string()), json::encode_error(error))
        }
        Protocol::AwsQuery => (None, xml::encode_error(api, error, request_id)),
    };
    Response { status: error.status, content_type: content_type(api.protocol), error_type, body }
}

const fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson1_0 => "application/x-amz-json-1.0",
        Protocol::AwsJson1_1 => "application/x-amz-json-1.1",
        Protocol::AwsQuery => "text/xml",
    }
}

impl Validate for NoOutput {
    fn validate(&self, _violations: &mut Violations) {}
}
