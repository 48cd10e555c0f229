//! The cluster query language: conditions on container instances.
//!
//! ```text
//! query   = and { ("||" | "or") and }
//! and     = not { ("&&" | "and") not }
//! not     = [ "!" | "not" ] primary
//! primary = "(" query ")" | subject test
//! subject = "agentConnected" | "agentVersion" | "attribute:NAME" | "ec2InstanceId"
//!         | "registeredAt" | "runningTasksCount" | "task:group"
//! test    = comparison value | "exists" | "!exists" | "not_exists"
//!         | ("in" | "!in" | "not_in") "[" value { "," value } "]"
//! ```
//!
//! Comparisons are `==` `!=` `>` `>=` `<` `<=` `=~` `!~`, or `equals`, `not_equals`,
//! `greater_than`, `greater_than_equal`, `less_than`, `less_than_equal`, `matches`, `not_matches`.
//! Each subject allows some of them. Where ECS's documentation is silent: a negative operator is
//! exactly the opposite of its positive one, so `attribute:a != b` holds without the attribute;
//! attributes are ordered as numbers when both sides are numbers and as text otherwise; a regular
//! expression must match the whole value; a date without a time means the whole day (UTC).

mod check;
mod parse;
mod test;

use std::sync::Arc;

use test::Test;

use crate::Instance;

/// Characters in a query at most, as in ECS.
pub const MAX_QUERY_CHARACTERS: usize = 2000;

/// Nested parentheses at most.
pub const MAX_NESTING: usize = 32;

/// A checked query, ready to be evaluated; cheap to clone. Equal when the texts are equal.
#[derive(Debug, Clone)]
pub struct Query {
    text: Arc<str>,
    expression: Arc<Expression>,
}

/// Why a text is no query. Positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than ECS accepts.
    #[error("the query has {0} characters: at most {MAX_QUERY_CHARACTERS} are allowed")]
    TooLong(usize),
    /// Too many parentheses inside each other.
    #[error("character {0}: more than {MAX_NESTING} nested parentheses")]
    TooDeep(usize),
    /// Something else was expected here.
    #[error("character {position}: expected {expected}, found {found}")]
    Unexpected {
        /// Where.
        position: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there, in backticks, or `the end`.
        found: String,
    },
    /// A quote is never closed.
    #[error("character {0}: the quoted value is not closed")]
    OpenQuote(usize),
    /// The subject does not allow the operator.
    #[error("character {position}: `{subject}` does not allow `{operator}`: use {allowed}")]
    Operator {
        /// Where the operator stands.
        position: usize,
        /// The subject.
        subject: String,
        /// The operator as written.
        operator: String,
        /// The operators that the subject allows.
        allowed: &'static str,
    },
    /// The value is not of the subject's kind.
    #[error("character {position}: `{value}` is not {expected}")]
    Value {
        /// Where the value stands.
        position: usize,
        /// The value as written.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Not a regular expression that can be evaluated here.
    #[error("character {position}: the regular expression `{pattern}` is not supported: {reason}")]
    Pattern {
        /// Where the pattern stands.
        position: usize,
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The compiled form.
#[derive(Debug)]
enum Expression {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

impl Query {
    /// Reads and checks a query.
    ///
    /// # Errors
    /// When the text is not a query; the error says where and what was expected.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.into(), expression: Arc::new(parse::parse(text)?) })
    }

    /// The query as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the query holds for this instance.
    pub fn matches(&self, instance: &Instance) -> bool {
        self.expression.holds(instance)
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Query {}

impl Expression {
    fn holds(&self, instance: &Instance) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(instance)),
            Self::All(parts) => parts.iter().all(|part| part.holds(instance)),
            Self::Not(part) => !part.holds(instance),
            Self::Test(test) => test.holds(instance),
        }
    }
}

#[cfg(test)]
mod tests;
