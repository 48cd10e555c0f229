//! Policy documents as callers give them, and as they are answered.

use std::fmt::Write as _;

use policy::{DocumentError, Policy, PolicyKind};
use wire::ApiError;

use crate::error::malformed_policy_document;

/// Reads a document.
///
/// # Errors
/// `MalformedPolicyDocument` with every problem and its place.
pub(crate) fn parse(text: &str, kind: PolicyKind) -> Result<Policy, ApiError> {
    Policy::parse(text, kind).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(DocumentError::to_string).collect();
        malformed_policy_document(format!("Syntax errors in policy: {}.", problems.join("; ")))
    })
}

/// The size of a document that was checked before, without whitespace.
pub(crate) fn size(text: &str) -> usize {
    Policy::parse(text, PolicyKind::Identity)
        .map_or_else(|_| text.chars().count(), |read| read.size())
}

/// A document as IAM answers it: percent-encoded as RFC 3986 has it.
pub(crate) fn render(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len().saturating_mul(2));
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded() {
        assert_eq!(render("{\"A\": \"*é~\"}"), "%7B%22A%22%3A%20%22%2A%C3%A9~%22%7D");
    }

    #[test]
    fn a_malformed_document_is_refused_with_the_place() {
        let error = parse("{\"Version\": 1}", PolicyKind::Identity).unwrap_err();
        assert_eq!(error.code, "MalformedPolicyDocument");
        assert!(error.message.contains("line 1"), "{}", error.message);
    }
}
