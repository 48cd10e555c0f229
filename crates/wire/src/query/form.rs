//! A form as a tree of names.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::ApiError;
use crate::query::de::NodeDeserializer;
use crate::validate::shown;

/// How many parameters a form may have.
const MAX_PARAMETERS: usize = 10_000;

/// How many dots a parameter's name may have, plus one.
const MAX_DEPTH: usize = 32;

/// A decoded form.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub(crate) root: Node,
}

/// What is under one part of a dotted name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) value: Option<String>,
    pub(crate) children: BTreeMap<String, Node>,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` bytes.
    ///
    /// # Errors
    /// `MalformedInput`, status 400: broken percent encoding, bad UTF-8, a parameter given twice,
    /// more than 10,000 parameters, or a name of more than 32 parts.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut form = Self::default();
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            if index >= MAX_PARAMETERS {
                return Err(malformed(format!(
                    "the form has more than {MAX_PARAMETERS} parameters"
                )));
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let number = index.saturating_add(1);
            let name = decoded(halves.next().unwrap_or_default(), number)?;
            let value = decoded(halves.next().unwrap_or_default(), number)?;
            form.insert(&name, value)?;
        }
        Ok(form)
    }

    /// The value of a parameter without dots in its name, such as `Action` or `Version`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.root.children.get(name)?.value.as_deref()
    }

    /// Reads the parameters as the input of the operation called `name`.
    ///
    /// # Errors
    /// `MalformedInput`, status 400: which parameter does not fit, and why.
    pub fn decode<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        T::deserialize(NodeDeserializer(&self.root))
            .map_err(|error| malformed(format!("the parameters of {name} do not fit: {error}")))
    }

    fn insert(&mut self, name: &str, value: String) -> Result<(), ApiError> {
        let mut node = &mut self.root;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= MAX_DEPTH {
                let name = shown(name);
                return Err(malformed(format!(
                    "the name of the parameter `{name}` has more than {MAX_DEPTH} parts"
                )));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        if node.value.replace(value).is_some() {
            return Err(malformed(format!("the parameter `{}` is given twice", shown(name))));
        }
        Ok(())
    }
}

fn malformed(message: String) -> ApiError {
    ApiError::sender("MalformedInput", message)
}

/// Undoes percent encoding; `number` is the parameter's place, from 1, for the message.
fn decoded(bytes: &[u8], number: usize) -> Result<String, ApiError> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let digits = rest.next().and_then(hex_digit).zip(rest.next().and_then(hex_digit));
                let (high, low) = digits.ok_or_else(|| {
                    malformed(format!("parameter {number} has a `%` without two hex digits"))
                })?;
                plain.push(high << 4 | low);
            }
            other => plain.push(*other),
        }
    }
    String::from_utf8(plain).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        malformed(format!("parameter {number} is not UTF-8 at byte {place} after decoding"))
    })
}

fn hex_digit(byte: &u8) -> Option<u8> {
    let digit = char::from(*byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
