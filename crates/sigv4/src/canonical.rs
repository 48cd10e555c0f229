//! The canonical request: one spelling for all requests that mean the same.

use std::borrow::Cow;

use http::HeaderMap;

use crate::RequestParts;

/// The query parameter that carries the signature and is not covered by it.
pub(crate) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// How the query string becomes canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryForm {
    /// As AWS documents it: names and values decoded (`+` is a space) and encoded again.
    Encoded,
    /// As botocore signs a query string that was written by hand: only sorted.
    ///
    /// Safe to accept besides the other: both forms fix the decoded parameters, so no request can
    /// borrow the signature of one that means something else.
    AsSent,
}

const fn digit(nibble: u8, ten: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { ten + nibble - 10 }
}

fn push_encoded_byte(out: &mut Vec<u8>, byte: u8) {
    out.extend([b'%', digit(byte >> 4, b'A'), digit(byte & 0xf, b'A')]);
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn push_encoded(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if is_unreserved(byte) {
            out.push(byte);
        } else {
            push_encoded_byte(out, byte);
        }
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.extend([digit(byte >> 4, b'a'), digit(byte & 0xf, b'a')]);
    }
}

/// Decodes `%xx` and `+` of a query string. A `%` without two digits stands for itself.
pub(crate) fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text.as_bytes());
    }
    let value = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, value(after.first()), value(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', ..) => out.push(b' '),
            (other, ..) => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The name and value pairs of a raw query string, undecoded.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let segments = query.split('&').filter(|segment| !segment.is_empty());
    segments.map(|segment| segment.split_once('=').unwrap_or((segment, "")))
}

/// Whether the raw `name` spells `SIGNATURE_PARAMETER`.
fn is_signature(name: &str) -> bool {
    name == SIGNATURE_PARAMETER || *decode(name) == *SIGNATURE_PARAMETER.as_bytes()
}

fn push_query(out: &mut Vec<u8>, query: &str, form: QueryForm) {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = pairs(query)
        .filter(|(name, _)| !is_signature(name))
        .map(|(name, value)| match form {
            QueryForm::AsSent => (name.into(), value.into()),
            QueryForm::Encoded => {
                let encoded = |text| {
                    let mut encoded = Vec::with_capacity(text_len(text));
                    push_encoded(&mut encoded, &decode(text));
                    encoded
                };
                (encoded(name), encoded(value))
            }
        })
        .collect();
    all.sort_unstable();
    for (index, (name, value)) in all.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

const fn text_len(text: &str) -> usize {
    text.len() + text.len() / 2
}

/// Resolves `.`, `..` and doubled slashes of the raw path, then encodes it once more.
fn push_path(out: &mut Vec<u8>, path: &str) {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    for segment in &segments {
        out.push(b'/');
        push_encoded(out, segment.as_bytes());
    }
    let is_directory = path.ends_with('/');
    if segments.is_empty() || is_directory {
        out.push(b'/');
    }
}

/// The values of a header: trimmed, inner white space as one space, several joined by commas.
fn push_header_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) {
    for (index, value) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let words = value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'));
        for (position, word) in words.filter(|word| !word.is_empty()).enumerate() {
            if position > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
}

/// The canonical request. `signed_headers` is the list as it stands in the signature.
pub(crate) fn request(
    parts: &RequestParts<'_>,
    signed_headers: &str,
    body_hash: &[u8],
    form: QueryForm,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(640 + 2 * parts.query.len());
    out.extend_from_slice(parts.method.as_bytes());
    out.push(b'\n');
    push_path(&mut out, parts.path);
    out.push(b'\n');
    if !parts.query.is_empty() {
        push_query(&mut out, parts.query, form);
    }
    out.push(b'\n');
    for name in signed_headers.split(';') {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        push_header_values(&mut out, parts.headers, name);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    push_hex(&mut out, body_hash);
    out
}

/// The text that is signed.
pub(crate) fn string_to_sign(amz_date: &str, scope: &str, canonical: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(b"AWS4-HMAC-SHA256\n");
    out.extend_from_slice(amz_date.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(scope.as_bytes());
    out.push(b'\n');
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical);
    push_hex(&mut out, hash.as_ref());
    out
}
