//! How the keys of identity providers are fetched; who composes the program says how.

use std::fmt;

use futures_util::future::BoxFuture;

/// Fetches the documents of identity providers.
///
/// Implementations fetch over HTTPS only, follow no redirect, read at most [`MAX_DOCUMENT_BYTES`] and
/// give up after [`TIMEOUT_SECONDS`].
pub trait KeyFetcher: Send + Sync + fmt::Debug {
    /// The document at `url`. The server's certificate is one that the system trusts, or comes from an
    /// authority whose certificate has one of `thumbprints` (SHA-1, hexadecimal).
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        thumbprints: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>>;
}

/// The longest document that is read.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// How long fetching one document may take.
pub const TIMEOUT_SECONDS: u64 = 5;

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be fetched: {reason}")]
pub struct FetchError {
    /// What was to be fetched.
    pub url: String,
    /// Why it was not.
    pub reason: String,
}
