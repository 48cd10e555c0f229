//! Finds the signature of a request and judges all of it that needs no secret.

use std::borrow::Cow;

use aws_lc_rs::digest;
use base::Timestamp;
use http::{HeaderMap, HeaderName, header};

use crate::canonical::{self, QueryForm};
use crate::error::SignatureError;
use crate::key::{SecretKey, SigningKeys};
use crate::time::{format_basic, parse_basic, parse_http};
use crate::{Expected, RequestParts};

/// How far the client's clock may be from the server's, in seconds.
pub const MAX_SKEW_S: i64 = 15 * 60;
/// The longest life of a presigned request, in seconds: a week.
pub const MAX_PRESIGNED_EXPIRY_S: i64 = 604_800;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Headers with one meaning: a second value would let two readers see two requests.
const SINGLE: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::DATE,
    AMZ_DATE,
    CONTENT_SHA256,
    SECURITY_TOKEN,
    TARGET,
];

/// `x-amz-*` headers that change nothing, which some clients add after signing.
const MAY_BE_UNSIGNED: [&str; 1] = ["x-amz-user-agent"];

/// A signature as found in a request: well-formed, in time, covering what it must; not verified.
#[derive(Debug, Clone)]
pub struct ParsedSignature<'a> {
    /// The access key that claims to have signed.
    pub access_key_id: Cow<'a, str>,
    /// The region in the scope.
    pub region: Cow<'a, str>,
    /// The service's signing name in the scope.
    pub service: Cow<'a, str>,
    /// The token of temporary credentials; the caller must check that it belongs to the key.
    pub session_token: Option<Cow<'a, str>>,
    /// When the request was signed.
    pub signed_at: Timestamp,
    /// Whether the signature is in the query string.
    pub is_presigned: bool,
    /// `20150830T123600Z`.
    amz_date: Cow<'a, str>,
    /// `access-key-id/date/region/service/aws4_request`.
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: [u8; 32],
}

/// The fields of a signature in either form, as sent.
#[derive(Default)]
struct Fields<'a> {
    credential: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
    session_token: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
}

/// Finds and judges the signature of a request.
///
/// # Errors
/// [`SignatureError::Missing`] without a signature, [`SignatureError::Incomplete`] for one that
/// cannot be read, [`SignatureError::Invalid`] for one out of time or not covering `host` and the
/// `x-amz-*` headers.
pub fn parse<'a>(
    request: &RequestParts<'a>,
    now: Timestamp,
) -> Result<ParsedSignature<'a>, SignatureError> {
    for name in SINGLE {
        let mut values = request.headers.get_all(&name).iter();
        if values.next().is_some() && values.next().is_some() {
            return Err(incomplete(format!("Header '{name}' must not be sent more than once.")));
        }
    }
    let presigned = presigned_fields(request.query)?;
    let (fields, is_presigned) = match (request.headers.get(header::AUTHORIZATION), presigned) {
        (None, None) => return Err(SignatureError::Missing),
        (Some(_), Some(_)) => {
            return Err(incomplete(
                "Only one of the Authorization header and the X-Amz-Algorithm query parameter is \
                 allowed.",
            ));
        }
        (None, Some(fields)) => (fields, true),
        (Some(value), None) => (header_fields(header_text(value)?, request.headers)?, false),
    };
    let parsed = read_fields(fields, is_presigned, now)?;
    check_coverage(&parsed.signed_headers, request.headers)?;
    Ok(parsed)
}

fn incomplete(text: impl Into<String>) -> SignatureError {
    SignatureError::Incomplete(text.into())
}

fn header_text(value: &http::HeaderValue) -> Result<&str, SignatureError> {
    value.to_str().map_err(|_| incomplete("A header of the signature is not ASCII text."))
}

fn optional_header(
    headers: &HeaderMap,
    name: HeaderName,
) -> Result<Option<Cow<'_, str>>, SignatureError> {
    headers.get(name).map(|value| header_text(value).map(Cow::Borrowed)).transpose()
}

/// The fields of `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
fn header_fields<'a>(text: &'a str, headers: &'a HeaderMap) -> Result<Fields<'a>, SignatureError> {
    let (algorithm, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if algorithm != ALGORITHM {
        return Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
    }
    let mut fields = Fields::default();
    for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let slot = match name {
            "Credential" => &mut fields.credential,
            "SignedHeaders" => &mut fields.signed_headers,
            "Signature" => &mut fields.signature,
            other => {
                return Err(incomplete(format!("'{other}' is not a key of Authorization.")));
            }
        };
        if slot.replace(Cow::Borrowed(value)).is_some() {
            return Err(incomplete(format!("Authorization header has two '{name}' parameters.")));
        }
    }
    fields.date = match optional_header(headers, AMZ_DATE)? {
        Some(date) => Some(date),
        None => optional_header(headers, header::DATE)?,
    };
    fields.session_token = optional_header(headers, SECURITY_TOKEN)?;
    Ok(fields)
}

/// The fields of a presigned query string; `None` when it has none of them.
fn presigned_fields(query: &str) -> Result<Option<Fields<'_>>, SignatureError> {
    let mut fields = Fields::default();
    let mut algorithm = None;
    for (name, value) in canonical::pairs(query) {
        let name = canonical::decode(name);
        let slot = match name.as_ref() {
            b"X-Amz-Algorithm" => &mut algorithm,
            b"X-Amz-Credential" => &mut fields.credential,
            b"X-Amz-Date" => &mut fields.date,
            b"X-Amz-Expires" => &mut fields.expires,
            b"X-Amz-SignedHeaders" => &mut fields.signed_headers,
            b"X-Amz-Signature" => &mut fields.signature,
            b"X-Amz-Security-Token" => &mut fields.session_token,
            _ => continue,
        };
        let value = match canonical::decode(value) {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        };
        let name = String::from_utf8_lossy(&name);
        let Some(value) = value else {
            return Err(incomplete(format!("Query-string parameter '{name}' is not UTF-8 text.")));
        };
        if slot.replace(value).is_some() {
            return Err(incomplete(format!("Query-string parameter '{name}' is sent twice.")));
        }
    }
    match algorithm.as_deref() {
        Some(ALGORITHM) => Ok(Some(fields)),
        Some(other) => Err(incomplete(format!("Unsupported AWS 'algorithm': '{other}'."))),
        None if fields.signature.is_some() || fields.credential.is_some() => {
            Err(incomplete("AWS query-string parameters must include 'X-Amz-Algorithm'."))
        }
        None => Ok(None),
    }
}

fn read_fields(
    fields: Fields<'_>,
    is_presigned: bool,
    now: Timestamp,
) -> Result<ParsedSignature<'_>, SignatureError> {
    let mut missing = String::new();
    let mut required = |field: Option<Cow<'_, str>>, in_header: &str, in_query: &str| {
        let found = field.is_some_and(|text| !text.is_empty());
        if !found && is_presigned {
            missing += &format!("AWS query-string parameters must include '{in_query}'. ");
        } else if !found {
            missing += &format!("Authorization header requires {in_header}. ");
        }
    };
    required(fields.credential.clone(), "'Credential' parameter", "X-Amz-Credential");
    required(fields.signature.clone(), "'Signature' parameter", "X-Amz-Signature");
    required(fields.signed_headers.clone(), "'SignedHeaders' parameter", "X-Amz-SignedHeaders");
    let either_date = "existence of either a 'X-Amz-Date' or a 'Date' header";
    required(fields.date.clone(), either_date, "X-Amz-Date");
    if is_presigned {
        required(fields.expires.clone(), "", "X-Amz-Expires");
    }
    let (Some(credential), Some(signature), Some(signed_headers), Some(date), true) = (
        fields.credential,
        fields.signature,
        fields.signed_headers,
        fields.date,
        missing.is_empty(),
    ) else {
        return Err(SignatureError::Incomplete(missing.trim_end().to_owned()));
    };

    let signature = signature_bytes(&signature)
        .ok_or_else(|| incomplete("The signature must be 64 lower-case hexadecimal digits."))?;
    let moment = if is_presigned { parse_basic(&date) } else { parse_http(&date) };
    let signed_at = moment.ok_or_else(|| {
        incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })?;
    let amz_date = if date.len() == 16 && date.ends_with('Z') {
        date
    } else {
        Cow::Owned(format_basic(signed_at).unwrap_or_default())
    };
    check_time(signed_at, &amz_date, fields.expires.as_deref(), now)?;
    let [access_key_id, region, service] = read_credential(&credential, &amz_date)?;
    Ok(ParsedSignature {
        access_key_id,
        region,
        service,
        session_token: fields.session_token,
        signed_at,
        is_presigned,
        amz_date,
        credential,
        signed_headers,
        signature,
    })
}

fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

fn check_time(
    signed_at: Timestamp,
    amz_date: &str,
    expires: Option<&str>,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let shown = |moment| format_basic(moment).unwrap_or_default();
    let skew = MAX_SKEW_S / 60;
    let latest = now.plus_seconds(MAX_SKEW_S);
    if signed_at > latest {
        return Err(SignatureError::Invalid(format!(
            "Signature not yet current: {amz_date} is still later than {} ({} + {skew} min.)",
            shown(latest),
            shown(now),
        )));
    }
    let (life_s, life) = match expires {
        None => (MAX_SKEW_S, format!("{skew} min.")),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds) if (1..=MAX_PRESIGNED_EXPIRY_S).contains(&seconds) => {
                (seconds, format!("{seconds} s"))
            }
            _ => {
                return Err(incomplete(format!(
                    "X-Amz-Expires must be a number of seconds from 1 to \
                     {MAX_PRESIGNED_EXPIRY_S}. Got '{text}'."
                )));
            }
        },
    };
    let earliest = now.plus_seconds(-life_s);
    if signed_at < earliest {
        return Err(SignatureError::Invalid(format!(
            "Signature expired: {amz_date} is now earlier than {} ({} - {life})",
            shown(earliest),
            shown(now),
        )));
    }
    Ok(())
}

/// Access key, region and service of `AKID/20150830/us-east-1/ecs/aws4_request`.
fn read_credential<'a>(
    credential: &Cow<'a, str>,
    amz_date: &str,
) -> Result<[Cow<'a, str>; 3], SignatureError> {
    // The caller keeps borrowing from the request wherever the text needed no decoding.
    fn split(text: &str) -> Option<[&str; 5]> {
        let mut parts = text.split('/');
        let five = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        (parts.next().is_none() && five.iter().all(|part| !part.is_empty())).then_some(five)
    }
    let malformed = || {
        incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        ))
    };
    let [_, date, _, _, terminator] = split(credential).ok_or_else(malformed)?;
    let day = amz_date.get(..8).unwrap_or_default();
    let mut wrong = String::new();
    if terminator != "aws4_request" {
        wrong += &format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not \
             '{terminator}'. "
        );
    }
    if date != day {
        wrong += &format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{date}' != '{day}', from '{amz_date}'. "
        );
    }
    if !wrong.is_empty() {
        return Err(SignatureError::Invalid(wrong.trim_end().to_owned()));
    }
    match credential {
        Cow::Borrowed(text) => {
            let [key, _, region, service, _] = split(text).ok_or_else(malformed)?;
            Ok([key.into(), region.into(), service.into()])
        }
        Cow::Owned(text) => {
            let [key, _, region, service, _] = split(text).ok_or_else(malformed)?;
            Ok([key, region, service].map(|part| Cow::Owned(part.to_owned())))
        }
    }
}

/// Refuses a signature that leaves out `host` or an `x-amz-*` header, or names one that is absent.
fn check_coverage(signed_headers: &str, headers: &HeaderMap) -> Result<(), SignatureError> {
    let mut previous = "";
    for name in signed_headers.split(';') {
        if name <= previous || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(incomplete(format!(
                "SignedHeaders must be lower-case, sorted and without repetition, got \
                 '{signed_headers}'."
            )));
        }
        if !headers.contains_key(name) {
            return Err(SignatureError::Invalid(format!(
                "Header '{name}' is in SignedHeaders and not in the request."
            )));
        }
        previous = name;
    }
    let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
    if !is_signed("host") {
        return Err(SignatureError::Invalid(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    let unsigned: Vec<&str> = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !MAY_BE_UNSIGNED.contains(name))
        .filter(|name| !is_signed(name))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(SignatureError::Invalid(format!(
        "There were headers present in the request which were not signed: {}",
        unsigned.join(", ")
    )))
}

impl ParsedSignature<'_> {
    /// Verifies the signature. `request` must be the one that was parsed; `body` is all of its
    /// body.
    ///
    /// # Errors
    /// [`SignatureError::Invalid`] when it was made for another region or service or the body is
    /// not the one announced, [`SignatureError::Mismatch`] when it is not the right one.
    pub fn verify(
        &self,
        request: &RequestParts<'_>,
        expected: Expected<'_>,
        secret: &SecretKey,
        body: &[u8],
        keys: &SigningKeys,
    ) -> Result<(), SignatureError> {
        self.check_scope(expected)?;
        let hash = digest::digest(&digest::SHA256, body);
        check_announced_hash(request.headers, hash.as_ref())?;
        let (credential, scope) = self
            .credential
            .rsplit_once('/')
            .zip(self.credential.split_once('/'))
            .map(|((credential, _), (_, scope))| (credential, scope))
            .ok_or(SignatureError::Mismatch)?;
        let is_right = |form| {
            let canonical = canonical::request(request, &self.signed_headers, hash.as_ref(), form);
            let text = canonical::string_to_sign(&self.amz_date, scope, &canonical);
            keys.verify(credential, secret, &text, &self.signature)
        };
        let has_query = !request.query.is_empty();
        if is_right(QueryForm::Encoded) || (has_query && is_right(QueryForm::AsSent)) {
            return Ok(());
        }
        Err(SignatureError::Mismatch)
    }

    fn check_scope(&self, expected: Expected<'_>) -> Result<(), SignatureError> {
        let mut wrong = String::new();
        if self.region != expected.region {
            wrong += &format!(
                "Credential should be scoped to a valid region, not '{}'; this one is '{}'. ",
                self.region, expected.region
            );
        }
        if self.service != expected.service {
            wrong += &format!(
                "Credential should be scoped to correct service: '{}'. ",
                expected.service
            );
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(SignatureError::Invalid(wrong.trim_end().to_owned()))
    }
}

/// Refuses a body whose hash is announced and different, or announced as not to be checked.
fn check_announced_hash(headers: &HeaderMap, hash: &[u8]) -> Result<(), SignatureError> {
    let Some(announced) = headers.get(CONTENT_SHA256) else {
        return Ok(());
    };
    let mut text = Vec::with_capacity(64);
    canonical::push_hex(&mut text, hash);
    if announced.as_bytes() == text {
        return Ok(());
    }
    Err(SignatureError::Invalid(
        "The value of 'x-amz-content-sha256' must be the SHA-256 of the body as 64 lower-case \
         hexadecimal digits; unsigned and streamed payloads are not accepted here."
            .to_owned(),
    ))
}
