//! Keys and spans of keys.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::Arc;

/// The most bytes a key may have.
pub const MAX_KEY_BYTES: usize = 512;

/// The name of an entry: path-like UTF-8 such as `tasks/default/4f2a`, 1 to [`MAX_KEY_BYTES`]
/// bytes, without control characters. Keys are ordered by their bytes. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("a key is empty: give it at least one byte")]
    Empty,
    /// The text is longer than [`MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes is too long: at most {MAX_KEY_BYTES} bytes are possible")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
    /// The text holds a control character.
    #[error("key `{}` holds a control character: use printable characters", .text.escape_debug())]
    Control {
        /// The text.
        text: String,
    },
}

impl Key {
    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError`] when the text is empty, longer than [`MAX_KEY_BYTES`], or holds a control
    /// character.
    pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(KeyError::Control { text: text.to_owned() });
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A contiguous piece of the key order: from a start, included, to an end, excluded.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

impl Span {
    /// Every key.
    pub fn all() -> Self {
        Self { start: Vec::new(), end: None }
    }

    /// The keys that begin with `prefix`. End it with `/`, or `tasks` also covers `tasks-old/…`.
    pub fn prefix(prefix: impl AsRef<str>) -> Self {
        let start = prefix.as_ref().as_bytes().to_vec();
        let mut end = start.clone();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                return Self { start, end: Some(end) };
            }
        }
        Self { start, end: None }
    }

    /// The keys from `start`, included, to `end`, excluded; none when `end` is not above `start`.
    pub fn between(start: &Key, end: &Key) -> Self {
        Self { start: start.as_str().into(), end: Some(end.as_str().into()) }
    }

    /// The part of this span above `key`.
    #[must_use]
    pub fn after(mut self, key: &Key) -> Self {
        let mut above: Vec<u8> = key.as_str().into();
        above.push(0);
        self.start = self.start.max(above);
        self
    }

    /// Whether `key` lies in this span.
    pub fn contains(&self, key: &Key) -> bool {
        let bytes = key.as_str().as_bytes();
        bytes >= self.start.as_slice() && self.end.as_deref().is_none_or(|end| bytes < end)
    }

    /// The first bytes that are inside.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The first bytes that are outside again; `None` when the span has no end.
    pub fn end(&self) -> Option<&[u8]> {
        self.end.as_deref()
    }

    /// Bounds for an ordered map; `None` when the span is empty.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        match self.end() {
            Some(end) if end <= self.start() => None,
            Some(end) => Some((Bound::Included(self.start()), Bound::Excluded(end))),
            None => Some((Bound::Included(self.start()), Bound::Unbounded)),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..", String::from_utf8_lossy(&self.start))?;
        match &self.end {
            Some(end) => write!(f, "{:?}", String::from_utf8_lossy(end)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_neither_empty_nor_long_nor_unprintable() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert!(Key::new("x".repeat(512)).is_ok());
        assert_eq!(Key::new("x".repeat(513)), Err(KeyError::TooLong { bytes: 513 }));
        assert_eq!(Key::new("a\0"), Err(KeyError::Control { text: "a\0".to_owned() }));
    }

    #[track_caller]
    fn check(span: &Span, inside: &[&str], outside: &[&str]) {
        for text in inside {
            assert!(span.contains(&text.parse().unwrap()), "{text} in {span:?}");
        }
        for text in outside {
            assert!(!span.contains(&text.parse().unwrap()), "{text} not in {span:?}");
        }
    }

    #[test]
    fn spans_hold_what_they_name() {
        let key = |text: &str| text.parse::<Key>().unwrap();
        check(&Span::all(), &["a", "\u{10ffff}"], &[]);
        check(&Span::prefix("a/"), &["a/", "a/b", "a/\u{10ffff}"], &["a", "a0", "b"]);
        check(&Span::prefix("é"), &["é", "éa"], &["e", "ê"]);
        check(&Span::prefix("a/").after(&key("a/b")), &["a/b/", "a/c"], &["a/b", "a/a", "b"]);
        check(&Span::between(&key("b"), &key("d")), &["b", "c"], &["a", "d"]);
        check(&Span::between(&key("d"), &key("b")), &[], &["b", "c", "d"]);
        assert_eq!(Span::between(&key("d"), &key("b")).bounds(), None);
    }
}
