//! The error every operation answers with.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// Who is to blame for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller: sending the same again fails again.
    Sender,
    /// The service: the same request may succeed later.
    Receiver,
}

/// An error as the caller of an AWS API sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// The error's code, for example `ClusterNotFoundException`.
    pub code: Cow<'static, str>,
    /// One line for a person.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Who is to blame.
    pub fault: Fault,
    /// Further members of the error's shape; written by the JSON protocols only.
    pub fields: Map<String, Value>,
}

impl ApiError {
    /// An error with everything stated.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: u16,
        fault: Fault,
        message: impl Into<String>,
    ) -> Self {
        Self { code: code.into(), message: message.into(), status, fault, fields: Map::new() }
    }

    /// An error of the caller, status 400.
    pub fn sender(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, 400, Fault::Sender, message)
    }

    /// An error of the service, status 500.
    pub fn receiver(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, 500, Fault::Receiver, message)
    }

    /// `SerializationException`, status 400: the body is not what the protocol prescribes.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::sender("SerializationException", message)
    }

    /// The same error with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same error with one more member.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}
