//! Characters of a pattern, one after the other, and the parts all kinds of patterns share.

use regex::bytes::{Regex, RegexBuilder};

use super::PatternError;

const REGEX_LIMIT_BYTES: usize = 256 << 10;
/// Of one pattern, as AWS allows.
const REGEX_LIMIT: usize = 2;
/// Parentheses inside one another.
const DEPTH_LIMIT: usize = 32;

/// Reads a pattern's characters.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    text: &'a str,
    /// A byte offset, always between characters.
    at: usize,
    regexes: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, regexes: 0, depth: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> PatternError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        PatternError { position: before.chars().count() + 1, reason: reason.into() }
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `expected` if it comes next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let there = self.rest().starts_with(expected);
        if there {
            self.at += expected.len();
        }
        there
    }

    /// Takes `expected`, letter case aside, if it comes next as a word of its own.
    pub(super) fn take_word(&mut self, expected: &str) -> bool {
        let rest = self.rest();
        let there = rest.get(..expected.len()).is_some_and(|word| {
            word.eq_ignore_ascii_case(expected)
                && !rest.get(expected.len()..).is_some_and(|rest| rest.starts_with(is_word))
        });
        if there {
            self.at += expected.len();
        }
        there
    }

    pub(super) fn expect(&mut self, expected: &str) -> Result<(), PatternError> {
        self.skip_space();
        if self.take(expected) { Ok(()) } else { Err(self.error(format!("expected `{expected}`"))) }
    }

    /// Takes the longest run of characters that `wanted` accepts.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|next| !wanted(next)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// The text in double quotes that comes next; a backslash takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let opening = self.error("this quotation mark has no partner");
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => match self.next() {
                    Some(next @ ('"' | '\\')) => text.push(next),
                    Some(next) => text.extend(['\\', next]),
                    None => return Err(opening),
                },
                Some(next) => text.push(next),
                None => return Err(opening),
            }
        }
    }

    /// The regular expression between percent signs that comes next.
    pub(super) fn regex(&mut self) -> Result<Regex, PatternError> {
        let opening = self.error("this `%` has no partner");
        let invalid = |reason: String| PatternError { reason, ..opening.clone() };
        self.regexes += 1;
        if self.regexes > REGEX_LIMIT {
            let reason = format!("more than {REGEX_LIMIT} regular expressions in one pattern");
            return Err(invalid(reason));
        }
        self.next();
        let mut text = String::new();
        loop {
            let here = self.error("");
            match self.next() {
                Some('%') => break,
                Some('\\') => match self.next() {
                    Some(next) if next.is_ascii() => text.extend(['\\', next]),
                    Some(next) => return Err(unsupported(&here, next)),
                    None => return Err(opening),
                },
                Some(next) if is_in_regexes(next) => text.push(next),
                Some(next) => return Err(unsupported(&here, next)),
                None => return Err(opening),
            }
        }
        if text.is_empty() {
            return Err(invalid("an empty regular expression".to_owned()));
        }
        RegexBuilder::new(&text)
            .unicode(false)
            .size_limit(REGEX_LIMIT_BYTES)
            .dfa_size_limit(REGEX_LIMIT_BYTES)
            .build()
            .map_err(|_| invalid(format!("`{text}` is not a valid regular expression")))
    }

    /// Enters a parenthesis; what is inside is read by recursion, so there is a limit.
    pub(super) fn enter(&mut self) -> Result<(), PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.error(format!("more than {DEPTH_LIMIT} parentheses inside another")));
        }
        Ok(())
    }

    /// Leaves a parenthesis.
    pub(super) const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

fn unsupported(at: &PatternError, next: char) -> PatternError {
    let reason = format!("`{next}` is not supported in regular expressions");
    PatternError { position: at.position, reason }
}

pub(super) fn is_word(next: char) -> bool {
    next.is_alphanumeric() || next == '_'
}

/// The characters that AWS documents for regular expressions; parentheses are not among them.
/// A space is, in practice.
fn is_in_regexes(next: char) -> bool {
    next.is_ascii_alphanumeric() || " :_#=@/;,-^$?[]{}|*+.".contains(next)
}
