//! The text that lets one machine join, once.
//!
//! `pcjt1.ID.SECRET.AUTHORITY`: the id names the token's record, the secret proves who holds the text,
//! and the last part is the SHA-256 of the public key that every certificate of the node protocol
//! goes back to. With it the joining machine knows the control plane before it sends anything.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base::IdSource;
use zeroize::Zeroizing;

/// What every text begins with: its version.
const PREFIX: &str = "pcjt1";
/// Hexadecimal digits of an id, of 128 random bits.
const ID_DIGITS: usize = 32;
/// Hexadecimal digits of a secret, of 256 random bits, and of a SHA-256.
const LONG_DIGITS: usize = 64;

/// A join token's text, taken apart. Printing it shows no secret.
#[derive(Clone)]
pub struct JoinTokenText {
    id: String,
    secret: Zeroizing<String>,
    authority_digest: String,
}

/// Not the text of a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the text is no join token: expected `{PREFIX}.ID.SECRET.AUTHORITY` as `portcullis join-token create` prints it"
)]
pub struct NoJoinToken;

impl JoinTokenText {
    /// A new one. `authority_digest` is the SHA-256 of the node authority's public key.
    pub fn generate(ids: &dyn IdSource, authority_digest: String) -> Self {
        let secret = Zeroizing::new(format!("{}{}", ids.hex32(), ids.hex32()));
        Self { id: ids.hex32(), secret, authority_digest }
    }

    /// Takes a text apart.
    ///
    /// # Errors
    /// [`NoJoinToken`]; the text, which may hold a secret, is not in it.
    pub fn parse(text: &str) -> Result<Self, NoJoinToken> {
        let mut parts = text.trim().split('.');
        let (prefix, id, secret, authority) =
            (parts.next(), parts.next(), parts.next(), parts.next());
        match (prefix, id, secret, authority, parts.next()) {
            (Some(PREFIX), Some(id), Some(secret), Some(authority), None)
                if is_hex(id, ID_DIGITS)
                    && is_hex(secret, LONG_DIGITS)
                    && is_hex(authority, LONG_DIGITS) =>
            {
                Ok(Self {
                    id: id.to_owned(),
                    secret: Zeroizing::new(secret.to_owned()),
                    authority_digest: authority.to_owned(),
                })
            }
            _ => Err(NoJoinToken),
        }
    }

    /// The text, a secret.
    pub fn text(&self) -> Zeroizing<String> {
        let Self { id, secret, authority_digest } = self;
        Zeroizing::new(format!("{PREFIX}.{id}.{}.{authority_digest}", secret.as_str()))
    }

    /// The part that names it; not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret part.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// SHA-256 of the node authority's public key, 64 hexadecimal digits.
    pub fn authority_digest(&self) -> &str {
        &self.authority_digest
    }

    /// What is kept of the secret: its SHA-256, 64 hexadecimal digits. The secret is random, so that
    /// nothing slower is needed.
    pub fn secret_digest(&self) -> String {
        digest_of(self.secret.as_bytes())
    }
}

impl fmt::Debug for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinTokenText").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether `secret` is the one that `secret_digest` was made from; takes the same time either way.
pub fn secret_matches(secret: &str, secret_digest: &str) -> bool {
    same_digest(&digest_of(secret.as_bytes()), secret_digest)
}

/// Whether two digests are the same; takes the same time either way.
pub fn same_digest(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// SHA-256 as 64 hexadecimal digits.
pub fn digest_of(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    fn token() -> JoinTokenText {
        JoinTokenText::generate(&SeededIds::new(1), digest_of(b"authority"))
    }

    #[test]
    fn a_text_says_what_it_was_made_of() {
        let made = token();
        let read = JoinTokenText::parse(&format!("{}\n", made.text().as_str())).unwrap();
        assert_eq!(read.id(), made.id());
        assert_eq!(read.authority_digest(), digest_of(b"authority"));
        assert!(secret_matches(read.secret(), &made.secret_digest()));
        assert!(!format!("{made:?}").contains(made.secret()));
    }

    #[test]
    fn anything_else_is_no_token() {
        let text = token().text();
        let check = |text: &str| assert_eq!(JoinTokenText::parse(text).unwrap_err(), NoJoinToken);
        check("");
        check("pcjt1");
        check(&text.replace("pcjt1", "pcjt2"));
        check(&format!("{}.", text.as_str()));
        check(&text.to_uppercase());
        check(text.get(..text.len() - 1).unwrap());
        check(&text.replacen('.', "", 1));
    }

    #[test]
    fn another_secret_does_not_match() {
        let other = JoinTokenText::generate(&SeededIds::new(2), digest_of(b"authority"));
        assert!(!secret_matches(other.secret(), &token().secret_digest()));
        assert!(!secret_matches("", &token().secret_digest()));
        assert!(!secret_matches(token().secret(), ""));
    }
}
