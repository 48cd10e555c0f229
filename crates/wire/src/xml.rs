//! XML answers of awsQuery.

mod ser;

use base::Timestamp;
use serde::Serialize;

use crate::{Api, ApiError, Fault, OperationInfo};

/// Writes `<XResponse><XResult>…</XResult><ResponseMetadata>…</ResponseMetadata></XResponse>`.
pub(crate) fn encode<T: Serialize>(
    api: &Api,
    info: &OperationInfo,
    output: &T,
    request_id: &str,
) -> Result<Vec<u8>, ser::XmlError> {
    let mut out = String::with_capacity(512);
    open_root(&mut out, &format!("{}Response", info.name), api);
    if let Some(wrapper) = info.result_wrapper {
        output.serialize(ser::Element { out: &mut out, name: wrapper })?;
    }
    out.push_str("<ResponseMetadata>");
    element(&mut out, "RequestId", request_id);
    out.push_str("</ResponseMetadata>");
    close(&mut out, &format!("{}Response", info.name));
    Ok(out.into_bytes())
}

/// Writes `<ErrorResponse><Error>…</Error><RequestId>…</RequestId></ErrorResponse>`.
pub(crate) fn encode_error(api: &Api, error: &ApiError, request_id: &str) -> Vec<u8> {
    let fault = match error.fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    let mut out = String::with_capacity(256);
    open_root(&mut out, "ErrorResponse", api);
    out.push_str("<Error>");
    element(&mut out, "Type", fault);
    element(&mut out, "Code", &error.code);
    element(&mut out, "Message", &error.message);
    out.push_str("</Error>");
    element(&mut out, "RequestId", request_id);
    close(&mut out, "ErrorResponse");
    out.into_bytes()
}

fn open_root(out: &mut String, name: &str, api: &Api) {
    out.push('<');
    out.push_str(name);
    if let Some(namespace) = api.xml_namespace {
        out.push_str(" xmlns=\"");
        escape(out, namespace);
        out.push('"');
    }
    out.push('>');
}

fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn element(out: &mut String, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

/// Writes text; a character that XML 1.0 cannot carry becomes U+FFFD.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(character),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

/// ISO 8601 in UTC; without a fraction when there is none, as AWS writes it.
fn iso8601(timestamp: Timestamp) -> String {
    let text = timestamp.to_string();
    match text.strip_suffix(".000Z") {
        Some(seconds) => format!("{seconds}Z"),
        None => text,
    }
}
