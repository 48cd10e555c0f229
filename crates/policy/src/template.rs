//! Texts of resources and condition values: patterns in which policy variables may stand.

use std::borrow::Cow;

use crate::context::{Facts, Key};
use crate::glob::{Glob, Token, same_but_case, tokens_match};

/// How a text of a document is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// Whether `${…}` is a variable: from version 2012-10-17 on.
    pub(crate) variables: bool,
}

/// A text to compare with, as written and compiled.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    text: Box<str>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Plain(Glob),
    Variables(Box<[Piece]>),
}

#[derive(Debug, Clone)]
enum Piece {
    Tokens(Box<[Token]>),
    Variable { key: Key, default: Option<Box<str>> },
}

impl Template {
    /// Reads `text`.
    ///
    /// # Errors
    /// What is wrong with a variable.
    pub(crate) fn parse(text: &str, reading: Reading) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${").filter(|_| reading.variables) {
            tokens.extend(reading.tokens(before));
            let (inner, following) = after.split_once('}').ok_or_else(|| {
                format!("the variable in `{text}` is not closed: write `${{key}}`")
            })?;
            match inner {
                "*" => tokens.push(Token::Char('*')),
                "?" => tokens.push(Token::Char('?')),
                "$" => tokens.push(Token::Char('$')),
                _ => {
                    pieces.push(Piece::Tokens(std::mem::take(&mut tokens).into()));
                    pieces.push(variable(inner)?);
                }
            }
            rest = following;
        }
        tokens.extend(reading.tokens(rest));
        let form = if pieces.is_empty() {
            Form::Plain(Glob::from_tokens(tokens))
        } else {
            pieces.push(Piece::Tokens(tokens.into()));
            Form::Variables(pieces.into())
        };
        Ok(Self { text: text.into(), form })
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The keys of its variables.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let pieces = match &self.form {
            Form::Plain(_) => &[],
            Form::Variables(pieces) => &**pieces,
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Tokens(_) => None,
            Piece::Variable { key, .. } => Some(key),
        })
    }

    /// Whether every variable has a value.
    pub(crate) fn has_values(&self, facts: &Facts<'_>) -> bool {
        match &self.form {
            Form::Plain(_) => true,
            Form::Variables(pieces) => fill(pieces, facts).is_some(),
        }
    }

    /// Whether `text` is what the template says, its variables filled in.
    pub(crate) fn matches(&self, text: &str, facts: &Facts<'_>) -> bool {
        match &self.form {
            Form::Plain(glob) => glob.matches(text),
            Form::Variables(pieces) => fill(pieces, facts)
                .is_some_and(|tokens| tokens_match(&tokens, text, |wanted, found| wanted == found)),
        }
    }

    /// As [`Template::matches`], whatever the case.
    pub(crate) fn matches_but_case(&self, text: &str, facts: &Facts<'_>) -> bool {
        self.tokens(facts).is_some_and(|tokens| tokens_match(&tokens, text, same_but_case))
    }

    /// What it says, its variables filled in; `None` when one has no value.
    pub(crate) fn tokens(&self, facts: &Facts<'_>) -> Option<Vec<Token>> {
        match &self.form {
            Form::Plain(glob) => Some(glob.tokens()),
            Form::Variables(pieces) => fill(pieces, facts),
        }
    }

    /// What it says; `None` when it has variables.
    pub(crate) fn plain_tokens(&self) -> Option<Vec<Token>> {
        match &self.form {
            Form::Plain(glob) => Some(glob.tokens()),
            Form::Variables(_) => None,
        }
    }
}

impl Reading {
    fn tokens(self, text: &str) -> impl Iterator<Item = Token> {
        Token::wild(text).map(move |token| match token {
            Token::Any if !self.wildcards => Token::Char('*'),
            Token::One if !self.wildcards => Token::Char('?'),
            Token::Any | Token::One | Token::Char(_) => token,
        })
    }
}

/// `key` or `key, 'default'`.
fn variable(inner: &str) -> Result<Piece, String> {
    let wrong = || {
        format!(
            "`${{{inner}}}` is not a policy variable: write `${{key}}` or `${{key, 'default'}}`"
        )
    };
    let (key, default) = match inner.split_once(',') {
        None => (inner, None),
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (key, Some(quoted.filter(|text| !text.contains('\'')).ok_or_else(wrong)?))
        }
    };
    let key = key.trim();
    let is_key =
        key.split_once(':').is_some_and(|(prefix, name)| !prefix.is_empty() && !name.is_empty());
    if !is_key || key.contains(['$', '{', '\'', '"']) {
        return Err(wrong());
    }
    Ok(Piece::Variable { key: Key::new(key), default: default.map(Into::into) })
}

/// Wildcards in the value of a variable are no wildcards: else who chooses a tag chooses the pattern.
fn fill(pieces: &[Piece], facts: &Facts<'_>) -> Option<Vec<Token>> {
    let mut filled = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Tokens(tokens) => filled.extend_from_slice(tokens),
            Piece::Variable { key, default } => {
                let value = facts.values(key).and_then(|values| values.single());
                let text = match (value, default) {
                    (Some(value), _) => value.text(),
                    (None, Some(default)) => Cow::Borrowed(&**default),
                    (None, None) => return None,
                };
                filled.extend(text.chars().map(Token::Char));
            }
        }
    }
    Some(filled)
}
