//! Patterns for unstructured messages: terms that must, may or must not occur.

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::PatternError;
use super::parser::Parser;

/// Which terms have to occur.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    all: Vec<Term>,
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl Term {
    fn parse(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let start = parser.error("expected a term");
        let text = match parser.peek() {
            Some('%') => return Ok(Self::Regex(parser.regex()?)),
            Some('"') => parser.quoted()?,
            Some(_) | None => {
                parser.take_while(|next| !next.is_whitespace() && next != '"').to_owned()
            }
        };
        if text.is_empty() {
            return Err(start);
        }
        Ok(Self::Text(Box::new(Finder::new(text.as_bytes()).into_owned())))
    }

    fn occurs_in(&self, message: &[u8]) -> bool {
        match self {
            Self::Text(finder) => finder.find(message).is_some(),
            Self::Regex(regex) => regex.is_match(message),
        }
    }

    /// `false` only if the term occurs in no message inside `messages`. An expression may look at
    /// where a message begins and ends, so it is not tried on many messages at once.
    fn may_occur_within(&self, messages: &[u8]) -> bool {
        match self {
            Self::Text(finder) => finder.find(messages).is_some(),
            Self::Regex(_) => true,
        }
    }
}

impl Terms {
    pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        loop {
            parser.skip_space();
            let list = match parser.peek() {
                None => break,
                Some('?') => {
                    parser.next();
                    &mut terms.any
                }
                Some('-') => {
                    parser.next();
                    &mut terms.none
                }
                Some(_) => &mut terms.all,
            };
            list.push(Term::parse(parser)?);
        }
        if !(terms.all.is_empty() && terms.none.is_empty()) {
            terms.any.clear();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, message: &[u8]) -> bool {
        self.all.iter().all(|term| term.occurs_in(message))
            && (self.any.is_empty() || self.any.iter().any(|term| term.occurs_in(message)))
            && !self.none.iter().any(|term| term.occurs_in(message))
    }

    pub(super) fn may_match_within(&self, messages: &[u8]) -> bool {
        self.all.iter().all(|term| term.may_occur_within(messages))
            && (self.any.is_empty() || self.any.iter().any(|term| term.may_occur_within(messages)))
    }
}
