//! Signs requests, for our own clients.

use aws_lc_rs::{digest, hmac};
use base::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::RequestParts;
use crate::canonical::{self, QueryForm};
use crate::key::{SecretKey, derive};
use crate::time::format_basic;

/// Who signs, and for which service.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The access key's identifier.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a SecretKey,
    /// The token that comes with temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region that the request goes to.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No `host` header: every signature covers it.
    #[error("the request has no `host` header: set it before signing")]
    NoHost,
    /// The time cannot be written in a signature.
    #[error("`{0}` is outside the years 0 to 9999: check the clock")]
    Time(Timestamp),
    /// A text that cannot be in a header.
    #[error("the {0} has characters that no header may have")]
    Text(&'static str),
}

/// Adds `x-amz-date`, `x-amz-security-token` (for temporary credentials) and `authorization` to
/// `headers`, signing all headers that are there. Hop-by-hop headers must be added afterwards.
///
/// # Errors
/// [`SignError`] when the request has no `host`, or a value cannot be written.
pub fn sign(
    signer: &Signer<'_>,
    (method, path, query): (&str, &str, &str),
    headers: &mut HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignError> {
    if !headers.contains_key(header::HOST) {
        return Err(SignError::NoHost);
    }
    let amz_date = format_basic(now).ok_or(SignError::Time(now))?;
    let day = amz_date.get(..8).unwrap_or_default();
    let value = |text: &str, what| HeaderValue::from_str(text).map_err(|_| SignError::Text(what));
    headers.remove(header::AUTHORIZATION);
    headers.insert("x-amz-date", value(&amz_date, "date")?);
    if let Some(token) = signer.session_token {
        headers.insert("x-amz-security-token", value(token, "session token")?);
    }
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let signed_headers = names.join(";");

    let hash = digest::digest(&digest::SHA256, body);
    let parts = RequestParts { method, path, query, headers };
    let canonical = canonical::request(&parts, &signed_headers, hash.as_ref(), QueryForm::Encoded);
    let scope = format!("{day}/{}/{}/aws4_request", signer.region, signer.service);
    let text = canonical::string_to_sign(&amz_date, &scope, &canonical);
    let key = derive(signer.secret, day, signer.region, signer.service);
    let mut signature = Vec::with_capacity(64);
    canonical::push_hex(&mut signature, hmac::sign(&key, &text).as_ref());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={}",
        signer.access_key_id,
        String::from_utf8_lossy(&signature)
    );
    headers.insert(header::AUTHORIZATION, value(&authorization, "access key id")?);
    Ok(())
}
