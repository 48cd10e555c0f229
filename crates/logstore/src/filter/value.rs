//! Comparisons that JSON patterns and patterns with fields share.

use std::cmp::Ordering;

use regex::bytes::Regex;

use super::PatternError;
use super::parser::Parser;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator and what stands to the right of it.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Debug, Clone)]
enum Operand {
    /// A number, and how it was written.
    Number(f64, String),
    /// A text in which `*` stands for any characters.
    Text(String),
    Regex(Regex),
}

/// What a comparison is made with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(f64),
    Text(&'a [u8]),
}

impl Operator {
    fn parse(parser: &mut Parser<'_>) -> Option<Self> {
        let operators = [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ];
        operators.into_iter().find(|(sign, _)| parser.take(sign)).map(|(_, operator)| operator)
    }

    fn accepts(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        }
    }

    const fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Comparison {
    /// Reads an operator and its operand; `None` when no operator comes next.
    ///
    /// `ends` says which characters end an operand without quotes.
    pub(super) fn parse(
        parser: &mut Parser<'_>,
        ends: impl Fn(char) -> bool,
    ) -> Result<Option<Self>, PatternError> {
        parser.skip_space();
        let Some(operator) = Operator::parse(parser) else {
            return Ok(None);
        };
        parser.skip_space();
        let start = parser.error("");
        let operand = match parser.peek() {
            Some('"') => Operand::Text(parser.quoted()?),
            Some('%') => Operand::Regex(parser.regex()?),
            Some(_) | None => {
                let bare = parser.take_while(|next| {
                    !(ends(next) || next.is_whitespace() || "&|()\"=<>!".contains(next))
                });
                if bare.is_empty() {
                    return Err(parser.error("expected a value to compare with"));
                }
                number(bare.as_bytes()).map_or_else(
                    || Operand::Text(bare.to_owned()),
                    |n| Operand::Number(n, bare.into()),
                )
            }
        };
        match operand {
            Operand::Text(_) | Operand::Regex(_) if operator.is_order() => {
                let reason = "only a number can be compared with `<`, `<=`, `>` or `>=`".to_owned();
                Err(PatternError { reason, ..start })
            }
            Operand::Number(..) | Operand::Text(_) | Operand::Regex(_) => {
                Ok(Some(Self { operator, operand }))
            }
        }
    }

    pub(super) fn holds(&self, value: Value<'_>) -> bool {
        let negated = self.operator == Operator::NotEqual;
        match (&self.operand, value) {
            (Operand::Number(right, _), Value::Number(left)) => {
                self.operator.accepts(left.partial_cmp(right))
            }
            (Operand::Number(right, written), Value::Text(left)) => match number(left) {
                Some(left) => self.operator.accepts(left.partial_cmp(right)),
                None if self.operator.is_order() => false,
                None => (written.as_bytes() == left) != negated,
            },
            (Operand::Text(glob), Value::Text(left)) => {
                glob_matches(glob.as_bytes(), left) != negated
            }
            (Operand::Text(glob), Value::Number(left)) => {
                glob_matches(glob.as_bytes(), left.to_string().as_bytes()) != negated
            }
            (Operand::Regex(regex), Value::Text(left)) => regex.is_match(left) != negated,
            (Operand::Regex(regex), Value::Number(left)) => {
                regex.is_match(left.to_string().as_bytes()) != negated
            }
        }
    }
}

/// The number that a text is, in decimal, with a fraction and an exponent if it likes.
fn number(text: &[u8]) -> Option<f64> {
    // `inf` and `nan` are words here.
    let numeric = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    if !text.iter().all(numeric) || !text.iter().any(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a text is `glob`, in which each `*` stands for any number of any bytes.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let mut parts = glob.split(|byte| *byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = memchr::memmem::find(rest, part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}
