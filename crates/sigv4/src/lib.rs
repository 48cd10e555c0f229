//! AWS Signature Version 4 for servers: who signed a request, and is the signature right.
//!
//! The request is judged as it arrived: path and query string are taken raw and brought into
//! AWS's canonical form here. Nothing is read from the machine; the caller gives the time.
//!
//! A server calls [`parse`], looks up the access key, then [`ParsedSignature::verify`]. A client
//! calls [`sign`].
//!
//! Source: "Signature Version 4 signing process", AWS General Reference.

mod canonical;
mod error;
mod key;
mod parse;
mod sign;
#[cfg(test)]
mod tests;
mod time;

use http::HeaderMap;

pub use error::{ErrorFamily, SignatureError};
pub use key::{SecretKey, SigningKeys};
pub use parse::{MAX_PRESIGNED_EXPIRY_S, MAX_SKEW_S, ParsedSignature, parse};
pub use sign::{SignError, Signer, sign};

/// The parts of a request that its signature covers, as they arrived.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// The HTTP method, in capitals.
    pub method: &'a str,
    /// The path, raw, from its first `/` up to the `?`.
    pub path: &'a str,
    /// The query string, raw, without the `?`; empty when there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// What a signature must have been made for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The region of this server: `us-east-1`.
    pub region: &'a str,
    /// The signing name of the service that the request is for: `ecs`.
    pub service: &'a str,
}
