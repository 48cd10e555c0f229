//! Image references: `name`, `name:tag`, `name@sha256:…`.

use std::fmt;

use crate::digest::Digest;
use crate::error::ImageError;

const NAME_BYTES: usize = 255;
const TAG_BYTES: usize = 128;
const DEFAULT_TAG: &str = "latest";

/// A parsed reference. It prints as it was given, with the default tag added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses `name`, `name:tag`, `name@digest` or `name:tag@digest` (where the digest counts and the tag does not).
    ///
    /// # Errors
    /// [`ImageError::Reference`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let fail =
            |reason| ImageError::Reference { text: text.chars().take(300).collect(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(
                    digest
                        .parse()
                        .map_err(|_| fail("the digest is not `sha256:` and 64 digits"))?,
                ),
            ),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            Some(_) | None => (rest, None),
        };
        if name.is_empty() || name.len() > NAME_BYTES {
            return Err(fail("the name is empty or longer than 255 bytes"));
        }
        if !valid_name(name) {
            return Err(fail("the name has characters other than a-z, 0-9, `.`, `_`, `-` and `/`"));
        }
        if tag.is_some_and(|tag| !valid_tag(tag)) {
            return Err(fail("the tag is not 1 to 128 of A-Z, a-z, 0-9, `_`, `.`, `-`"));
        }
        let tag = match (&digest, tag) {
            (Some(_), _) => None,
            (None, tag) => Some(tag.unwrap_or(DEFAULT_TAG).to_owned()),
        };
        Ok(Self { name: name.to_owned(), tag, digest })
    }

    /// The digest, when the reference is by digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The name with the registry and namespace that Docker implies: `quotes` is `docker.io/library/quotes`.
    pub(crate) fn canonical_name(&self) -> String {
        let (host, path) = match self.name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            Some(_) | None => ("docker.io", self.name.as_str()),
        };
        let host = if host == "index.docker.io" { "docker.io" } else { host };
        if host == "docker.io" && !path.contains('/') {
            format!("{host}/library/{path}")
        } else {
            format!("{host}/{path}")
        }
    }

    /// What two spellings of one reference have in common.
    pub(crate) fn key(&self) -> String {
        let name = self.canonical_name();
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{name}@{digest}"),
            (None, tag) => format!("{name}:{}", tag.as_deref().unwrap_or(DEFAULT_TAG)),
        }
    }

    /// The same image by digest.
    pub(crate) fn with_digest(&self, digest: &Digest) -> Self {
        Self { name: self.name.clone(), tag: None, digest: Some(digest.clone()) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "{}@{digest}", self.name),
            (None, tag) => write!(f, "{}:{}", self.name, tag.as_deref().unwrap_or(DEFAULT_TAG)),
        }
    }
}

fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

fn valid_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => {
            let (host, port) = host.split_once(':').unwrap_or((host, "0"));
            let letter = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
            let label = |label: &str| {
                letter(label.bytes().next())
                    && letter(label.bytes().last())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            if !host.split('.').all(label)
                || port.is_empty()
                || !port.bytes().all(|b| b.is_ascii_digit())
            {
                return false;
            }
            path
        }
        Some(_) | None => name,
    };
    path.split('/').all(|component| {
        let edge =
            |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        edge(component.bytes().next())
            && edge(component.bytes().last())
            && component.bytes().all(inner)
    })
}

pub(crate) fn valid_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(text: &str, printed: &str, key: &str) {
        let reference = Reference::parse(text).unwrap();
        assert_eq!((reference.to_string().as_str(), reference.key().as_str()), (printed, key));
    }

    #[test]
    fn references_keep_the_name_given_and_share_a_key() {
        check("quotes", "quotes:latest", "docker.io/library/quotes:latest");
        check("library/quotes:1", "library/quotes:1", "docker.io/library/quotes:1");
        check(
            "index.docker.io/library/quotes:1",
            "index.docker.io/library/quotes:1",
            "docker.io/library/quotes:1",
        );
        check("docker.io/quotes:1", "docker.io/quotes:1", "docker.io/library/quotes:1");
        check("team/quotes", "team/quotes:latest", "docker.io/team/quotes:latest");
        check("localhost/q:V_1", "localhost/q:V_1", "localhost/q:V_1");
        check(
            "registry.example:5000/a/b",
            "registry.example:5000/a/b:latest",
            "registry.example:5000/a/b:latest",
        );
        let digest = format!("quotes@sha256:{HEX}");
        check(&digest, &digest, &format!("docker.io/library/quotes@sha256:{HEX}"));
        check(
            &format!("quotes:1@sha256:{HEX}"),
            &digest,
            &format!("docker.io/library/quotes@sha256:{HEX}"),
        );
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            ":1",
            "Quotes",
            "a//b",
            "a/",
            "../a",
            "a:",
            "a:-1",
            "a@sha256:12",
            "a@md5:0",
            "-a",
            "x.y:z/a",
            "a b",
            &long,
        ] {
            assert!(Reference::parse(text).is_err(), "`{text}` was accepted");
        }
    }
}
