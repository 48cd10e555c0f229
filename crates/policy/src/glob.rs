//! Texts with wildcards: `*` is any number of characters, `?` is one.

use std::str::Chars;

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any number of characters.
    Any,
}

/// A pattern, in the form that is fastest to compare.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    /// This text.
    Exact(Box<str>),
    /// Every text that starts so.
    Prefix(Box<str>),
    /// What has one `*` or more, and no `?`: what is before the first, between two, after the last.
    Pieces { prefix: Box<str>, middle: Box<[Box<str>]>, suffix: Box<str> },
    /// What has a `?`.
    Tokens(Box<[Token]>),
}

/// Whether `text` matches `pattern`, in which `*` is any number of characters and `?` is one. The
/// work is bounded by the product of their lengths.
pub fn pattern_matches(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
}

impl Token {
    /// The steps of `pattern`.
    pub(crate) fn wild(pattern: &str) -> impl Iterator<Item = Self> {
        pattern.chars().map(|char| match char {
            '*' => Self::Any,
            '?' => Self::One,
            char => Self::Char(char),
        })
    }
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self::from_tokens(Token::wild(pattern).collect())
    }

    pub(crate) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        tokens.dedup_by(|next, token| *next == Token::Any && *token == Token::Any);
        let mut pieces = vec![String::new()];
        for token in &tokens {
            match (token, pieces.last_mut()) {
                (Token::One, _) => return Self::Tokens(tokens.into()),
                (Token::Char(char), Some(piece)) => piece.push(*char),
                (Token::Any, _) | (Token::Char(_), None) => pieces.push(String::new()),
            }
        }
        let suffix = pieces.pop().unwrap_or_default();
        let mut pieces = pieces.into_iter().map(String::into_boxed_str);
        let Some(prefix) = pieces.next() else { return Self::Exact(suffix.into()) };
        let middle: Box<[Box<str>]> = pieces.collect();
        if middle.is_empty() && suffix.is_empty() {
            return Self::Prefix(prefix);
        }
        Self::Pieces { prefix, middle, suffix: suffix.into() }
    }

    /// The steps again.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let chars = |text: &str| text.chars().map(Token::Char).collect::<Vec<_>>();
        let any = || std::iter::once(Token::Any);
        match self {
            Self::Exact(text) => chars(text),
            Self::Prefix(prefix) => chars(prefix).into_iter().chain(any()).collect(),
            Self::Pieces { prefix, middle, suffix } => {
                let pieces = std::iter::once(prefix).chain(middle);
                let before = pieces.flat_map(|piece| chars(piece).into_iter().chain(any()));
                before.chain(chars(suffix)).collect()
            }
            Self::Tokens(tokens) => tokens.to_vec(),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(literal) => **literal == *text,
            Self::Prefix(literal) => text.starts_with(&**literal),
            Self::Pieces { prefix, middle, suffix } => {
                let inner = text.as_bytes().strip_prefix(prefix.as_bytes());
                let inner = inner.and_then(|rest| rest.strip_suffix(suffix.as_bytes()));
                let mut pieces = middle.iter().map(|piece| piece.as_bytes());
                inner.is_some_and(|inner| pieces.try_fold(inner, after).is_some())
            }
            Self::Tokens(tokens) => tokens_match(tokens, text, |wanted, found| wanted == found),
        }
    }
}

/// What follows the first `piece` in `text`; a later one would leave less for what comes after.
fn after<'a>(mut text: &'a [u8], piece: &[u8]) -> Option<&'a [u8]> {
    let (first, others) = piece.split_first()?;
    loop {
        let at = text.iter().position(|byte| byte == first)?;
        text = text.get(at + 1..)?;
        if let Some(rest) = text.strip_prefix(others) {
            return Some(rest);
        }
    }
}

/// Whether two characters are the same but for their case.
pub(crate) fn same_but_case(one: char, other: char) -> bool {
    one == other || one.to_lowercase().eq(other.to_lowercase())
}

/// Compares step by step. After a mismatch only the last `*` can take one character more: an earlier
/// one could only skip what the last can skip as well. So the work is at most the product of the
/// lengths.
pub(crate) fn tokens_match(
    tokens: &[Token],
    text: &str,
    same: impl Fn(char, char) -> bool,
) -> bool {
    let mut steps = tokens;
    let mut chars = text.chars();
    let mut last_any: Option<(&[Token], Chars<'_>)> = None;
    loop {
        let mut ahead = chars.clone();
        let matched = match (steps.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((Token::Any, rest)), _) => {
                if rest.is_empty() {
                    return true;
                }
                last_any = Some((rest, chars.clone()));
                steps = rest;
                continue;
            }
            (Some(_), None) => return false,
            (Some((Token::One, rest)), Some(_)) => Some(rest),
            (Some((Token::Char(wanted), rest)), Some(found)) => {
                same(*wanted, found).then_some(rest)
            }
            (None, Some(_)) => None,
        };
        if let Some(rest) = matched {
            steps = rest;
            chars = ahead;
        } else {
            let Some((rest, from)) = &mut last_any else { return false };
            if from.next().is_none() {
                return false;
            }
            steps = rest;
            chars = from.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_documented() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a:b/c", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?", "é", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*", "a", true),
            ("a**", "abc", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*a*b", "xaybzb", true),
            ("*ab", "aab", true),
            ("*a?b*", "xxaabbyy", true),
            ("*abc?", "ababcabcd", true),
            ("A", "a", false),
            ("aé*éb", "aéb", false),
            ("aé*éb", "aéxéb", true),
            ("*é*", "xéx", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(pattern_matches(pattern, text), expected, "`{pattern}` and `{text}`");
            let tokens = Glob::new(pattern).tokens();
            let same = tokens_match(&tokens, text, |wanted, found| wanted == found);
            assert_eq!(same, expected, "`{pattern}` and `{text}`, step by step");
        }
    }

    #[test]
    fn many_wildcards_take_bounded_work() {
        let pattern = "a*".repeat(1_000) + "b";
        let text = "a".repeat(5_000);
        let steps = std::cell::Cell::new(0_u64);
        let tokens: Vec<Token> = Token::wild(&pattern).collect();
        assert!(!tokens_match(&tokens, &text, |wanted, found| {
            steps.set(steps.get() + 1);
            wanted == found
        }));
        assert!(steps.get() <= 5_000 * 2_001, "{}", steps.get());
        assert!(!pattern_matches(&pattern, &text));
        assert!(!pattern_matches(&format!("{pattern}?c"), &text));
    }
}
