//! Answers as HTTP.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Full;
use operation::NoRecord;
use sigv4::{ErrorFamily, SignatureError};
use wire::{Api, ApiError, Fault, Protocol};

pub(crate) type HttpResponse = http::Response<Full<Bytes>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A service's answer with its request id.
pub(crate) fn answer(response: wire::Response, request_id: &str) -> HttpResponse {
    let mut http = http::Response::new(Full::new(Bytes::from(response.body)));
    *http.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = http.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(response.content_type));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(Ok(value)) = response.error_type.map(HeaderValue::try_from) {
        headers.insert(ERROR_TYPE, value);
    }
    http
}

/// A page of plain text, for the operator's paths.
pub(crate) fn page(status: StatusCode, content_type: &'static str, body: String) -> HttpResponse {
    let mut http = http::Response::new(Full::new(Bytes::from(body)));
    *http.status_mut() = status;
    http.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    http
}

/// How the codes of an API are spelt.
pub(crate) const fn family(api: &Api) -> ErrorFamily {
    match api.protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => ErrorFamily::Json,
        Protocol::AwsQuery => ErrorFamily::Query,
    }
}

/// A failed authentication in the words of `api`'s protocol.
pub(crate) fn signature_error(api: &Api, error: &SignatureError) -> ApiError {
    ApiError::new(error.code(family(api)), error.status(), Fault::Sender, error.to_string())
}

/// An error of the gateway itself: `name` in the spelling of `api`'s protocol.
pub(crate) fn own_error(api: &Api, name: &'static str, status: u16, message: String) -> ApiError {
    let code = match family(api) {
        ErrorFamily::Json => format!("{name}Exception"),
        ErrorFamily::Query => name.to_owned(),
    };
    ApiError::new(code, status, Fault::Sender, message)
}

/// The error for a call that has no record: it was not performed, or nobody can prove that it was.
pub(crate) fn no_record(error: &NoRecord) -> ApiError {
    match error {
        NoRecord::Unavailable { .. } => {
            ApiError::receiver("ServiceUnavailable", format!("{error}; nothing was done"))
                .with_status(503)
        }
        NoRecord::Lost { .. } => ApiError::receiver(
            "InternalFailure",
            format!("{error}; the call may have been performed"),
        ),
    }
}
