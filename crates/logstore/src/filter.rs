//! The filter pattern language of CloudWatch Logs: which messages a pattern matches.
//!
//! | pattern | matches messages that |
//! |---|---|
//! | (nothing) | are anything at all |
//! | `one "two three"` | contain all the terms, letter case as written |
//! | `?one ?two` | contain at least one; beside other terms these are ignored, as AWS does |
//! | `one -two` | contain the first and not the second |
//! | `%[45][0-9]+%` | match the regular expression |
//! | `{ $.a.b[0] = "x*" && ($.n >= 5 \|\| $.z IS NULL) }` | are JSON and make this true |
//! | `[ip, ..., status = 4*, size > 100]` | have such fields, separated by spaces |
//!
//! Pure code: no I/O, and time in proportion to the message.

mod columns;
mod json;
mod parser;
mod terms;
mod value;

use columns::Columns;
use json::Json;
use parser::Parser;
use terms::Terms;

/// The longest pattern, in bytes; the model of `FilterLogEvents` allows 1,024 characters.
pub const PATTERN_LIMIT_BYTES: usize = 4096;

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Terms(Terms),
    Json(Json),
    Columns(Columns),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at character {position}")]
pub struct PatternError {
    /// Which character of the pattern does not fit, counted from 1.
    pub position: usize,
    /// What is wrong.
    pub reason: String,
}

impl Pattern {
    /// Reads a pattern; the empty one matches everything.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parser = Parser::new(text);
        if text.len() > PATTERN_LIMIT_BYTES {
            let reason = format!("the pattern is longer than {PATTERN_LIMIT_BYTES} bytes");
            return Err(parser.error(reason));
        }
        parser.skip_space();
        let kind = match parser.peek() {
            Some('{') => Kind::Json(Json::parse(&mut parser)?),
            Some('[') => Kind::Columns(Columns::parse(&mut parser)?),
            Some(_) | None => Kind::Terms(Terms::parse(&mut parser)?),
        };
        parser.skip_space();
        match parser.peek() {
            None => Ok(Self(kind)),
            Some(_) => Err(parser.error("expected the end of the pattern")),
        }
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &[u8]) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(json) => json.matches(message),
            Kind::Columns(columns) => columns.matches(message),
        }
    }

    /// Whether any message inside `messages`, which are many messages with other bytes between
    /// them, can match. `false` is certain, `true` is not.
    pub fn may_match_within(&self, messages: &[u8]) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.may_match_within(messages),
            Kind::Json(_) | Kind::Columns(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
