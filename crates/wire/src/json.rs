//! awsJson1.0 and awsJson1.1 bodies.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ApiError;

/// How deep arrays and objects may nest in a JSON body.
pub const MAX_DEPTH: usize = 64;

/// How many characters of a parser's message are passed on: it may quote the input.
const MAX_MESSAGE_CHARS: usize = 512;

/// Reads the body of the operation called `name`. An empty body reads as `{}`.
pub(crate) fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let valid = body.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = position(valid);
        ApiError::serialization(format!(
            "the body of {name} is not UTF-8: invalid byte at line {line} column {column}"
        ))
    })?;
    if text.is_empty() {
        return decode(name, b"{}");
    }
    if let Some((line, column)) = too_deep(body) {
        return Err(ApiError::serialization(format!(
            "the body of {name} nests deeper than {MAX_DEPTH} levels at line {line} column {column}"
        )));
    }
    serde_json::from_str(text).map_err(|error| {
        let reason = shortened(&error.to_string());
        ApiError::serialization(format!("the body of {name} cannot be read: {reason}"))
    })
}

/// Writes an output; the body of the answer.
pub(crate) fn encode<T: Serialize>(output: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(output)
}

/// Writes an error; the body of the answer.
pub(crate) fn encode_error(error: &ApiError) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Value::from(error.code.as_ref()));
    body.insert("message".to_owned(), Value::from(error.message.as_str()));
    for (name, value) in &error.fields {
        body.insert(name.clone(), value.clone());
    }
    Value::Object(body).to_string().into_bytes()
}

/// Where nesting first exceeds the limit. Brackets inside strings do not count.
fn too_deep(body: &[u8]) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in body.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth = depth.saturating_add(1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return body.get(..offset).map(position);
        }
    }
    None
}

/// Line and column, both from 1, of the byte after `before`.
fn position(before: &[u8]) -> (usize, usize) {
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
    (lines.saturating_add(1), column.saturating_add(1))
}

/// Cuts a long message in the middle: the place of the failure is at its end.
fn shortened(message: &str) -> String {
    let count = message.chars().count();
    if count <= MAX_MESSAGE_CHARS {
        return message.to_owned();
    }
    let half = MAX_MESSAGE_CHARS / 2;
    let start: String = message.chars().take(half).collect();
    let end: String = message.chars().skip(count.saturating_sub(half)).collect();
    format!("{start} … {end}")
}
