//! Requests of awsQuery services: JSON as a form.

use std::fmt::Write;

use serde_json::Value;

/// The form of a call: `Action`, `Version` and the members of `request`; lists are written as
/// `Name.member.1`, members of objects as `Name.Member`.
pub(crate) fn form(operation: &str, version: &str, request: &Value) -> String {
    let mut form = format!("Action={operation}&Version={version}");
    put(&mut form, "", request);
    form
}

fn put(form: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                put(form, &format!("{name}{dot}{member}"), value);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                put(form, &format!("{name}.member.{}", index + 1), item);
            }
        }
        Value::Null => {}
        Value::String(text) => pair(form, name, text),
        other @ (Value::Bool(_) | Value::Number(_)) => pair(form, name, &other.to_string()),
    }
}

fn pair(form: &mut String, name: &str, value: &str) {
    form.push('&');
    encode(form, name);
    form.push('=');
    encode(form, value);
}

fn encode(form: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            form.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(form, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_becomes_a_form() {
        let request =
            json!({ "UserName": "a b", "Tags": [{ "Key": "k", "Value": "é" }], "Max": 3 });
        assert_eq!(
            form("CreateUser", "2010-05-08", &request),
            "Action=CreateUser&Version=2010-05-08&Max=3&Tags.member.1.Key=k&Tags.member.1.Value=%C3%A9&UserName=a%20b"
        );
    }
}
