//! AWS wire protocols: awsJson1.0, awsJson1.1 and awsQuery, without I/O.
//!
//! The generated `api-*` crates describe services in the terms of this crate ([`Api`],
//! [`Operation`], [`Structure`], [`Validate`]); the gateway turns bytes into typed inputs with
//! [`decode`] and answers with [`encode`] and [`encode_error`]. Nothing here knows HTTP: a body
//! is a byte slice, and its size is limited by whoever read it.

mod api;
mod blob;
mod codec;
mod error;
mod json;
mod pattern;
mod query;
mod record;
mod string_enum;
mod structure;
mod timestamp;
mod validate;
mod xml;

pub use api::{Api, ErrorShape, NoOutput, Operation, OperationInfo, Protocol};
pub use blob::Blob;
pub use codec::{AwsJson, AwsQuery, Codec, Response, decode, encode, encode_error};
pub use error::{ApiError, Fault};
pub use json::MAX_DEPTH as JSON_MAX_DEPTH;
pub use pattern::Pattern;
pub use query::Form;
pub use record::{HIDDEN, Recorded, record};
/// A value of any JSON type, for the models' document members.
pub use serde_json::Value as Document;
pub use string_enum::{StringEnum, StringEnumVisitor};
pub use structure::{
    Redacted, Structure, StructureVisitor, Union, UnionVisitor, put, put_sensitive,
};
pub use timestamp::{put_timestamp, read_timestamp};
pub use validate::{Length, Range, StringRule, Validate, Violations};

/// What the code that [`string_enum!`], [`structure_serde!`] and [`union_serde!`] write refers to.
#[doc(hidden)]
pub mod export {
    pub use serde::de::{Error as DeError, IgnoredAny, MapAccess};
    pub use serde::ser::SerializeStruct;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
}
