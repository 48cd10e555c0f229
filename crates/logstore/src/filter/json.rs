//! Patterns for JSON messages: `{ $.a.b[0] = "x*" && $.n >= 5 }`.

use serde_json::Value as Document;

use super::PatternError;
use super::parser::Parser;
use super::value::{Comparison, Value};

/// A condition on a JSON document.
#[derive(Debug, Clone)]
pub(super) struct Json(Condition);

#[derive(Debug, Clone)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Property(Vec<Step>, Test),
}

/// One step of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
    Each,
}

#[derive(Debug, Clone)]
enum Test {
    Compare(Comparison),
    Exists(bool),
    IsNull,
    IsBoolean(bool),
}

impl Json {
    pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        parser.expect("{")?;
        let condition = Condition::parse_any(parser)?;
        parser.expect("}")?;
        Ok(Self(condition))
    }

    pub(super) fn matches(&self, message: &[u8]) -> bool {
        // Most messages are not JSON: do not start reading them.
        let first = message.iter().find(|byte| !byte.is_ascii_whitespace());
        if !matches!(first, Some(b'{' | b'[')) {
            return false;
        }
        serde_json::from_slice(message).is_ok_and(|document| self.0.holds(&document))
    }
}

impl Condition {
    fn parse_any(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let mut conditions = vec![Self::parse_all(parser)?];
        parser.skip_space();
        while parser.take("||") {
            conditions.push(Self::parse_all(parser)?);
            parser.skip_space();
        }
        Ok(Self::Any(conditions))
    }

    fn parse_all(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let mut conditions = vec![Self::parse_one(parser)?];
        parser.skip_space();
        while parser.take("&&") {
            conditions.push(Self::parse_one(parser)?);
            parser.skip_space();
        }
        Ok(Self::All(conditions))
    }

    fn parse_one(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        parser.skip_space();
        if parser.take("(") {
            parser.enter()?;
            let condition = Self::parse_any(parser)?;
            parser.expect(")")?;
            parser.leave();
            return Ok(condition);
        }
        let selector = parse_selector(parser)?;
        Ok(Self::Property(selector, Test::parse(parser)?))
    }

    fn holds(&self, document: &Document) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(document)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(document)),
            Self::Property(selector, test) => match test {
                Test::Exists(expected) => any(document, selector, &|_| true) == *expected,
                Test::IsNull => any(document, selector, &Document::is_null),
                Test::IsBoolean(expected) => {
                    any(document, selector, &|found| found.as_bool() == Some(*expected))
                }
                Test::Compare(comparison) => {
                    any(document, selector, &|found| compare(comparison, found))
                }
            },
        }
    }
}

fn compare(comparison: &Comparison, found: &Document) -> bool {
    match found {
        Document::String(text) => comparison.holds(Value::Text(text.as_bytes())),
        Document::Number(number) => {
            number.as_f64().is_some_and(|number| comparison.holds(Value::Number(number)))
        }
        Document::Bool(true) => comparison.holds(Value::Text(b"true")),
        Document::Bool(false) => comparison.holds(Value::Text(b"false")),
        Document::Null | Document::Array(_) | Document::Object(_) => false,
    }
}

/// Whether any value that the selector selects passes the test.
fn any(document: &Document, selector: &[Step], test: &dyn Fn(&Document) -> bool) -> bool {
    let Some((step, rest)) = selector.split_first() else {
        return test(document);
    };
    match (step, document) {
        (Step::Member(name), Document::Object(members)) => {
            members.get(name).is_some_and(|member| any(member, rest, test))
        }
        (Step::Item(index), Document::Array(items)) => {
            items.get(*index).is_some_and(|item| any(item, rest, test))
        }
        (Step::Each, Document::Array(items)) => items.iter().any(|item| any(item, rest, test)),
        (Step::Each, Document::Object(members)) => {
            members.values().any(|member| any(member, rest, test))
        }
        (
            Step::Member(_) | Step::Item(_) | Step::Each,
            Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::String(_)
            | Document::Array(_)
            | Document::Object(_),
        ) => false,
    }
}

impl Test {
    fn parse(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        if let Some(comparison) = Comparison::parse(parser, |next| next == '}')? {
            return Ok(Self::Compare(comparison));
        }
        let expected = "expected a comparison, IS NULL, IS TRUE, IS FALSE, EXISTS or NOT EXISTS";
        if parser.take_word("EXISTS") {
            return Ok(Self::Exists(true));
        }
        let negated = parser.take_word("NOT");
        if !negated && !parser.take_word("IS") {
            return Err(parser.error(expected));
        }
        parser.skip_space();
        let tests = [
            (true, "EXISTS", Self::Exists(false)),
            (false, "NULL", Self::IsNull),
            (false, "TRUE", Self::IsBoolean(true)),
            (false, "FALSE", Self::IsBoolean(false)),
        ];
        let mut tests = tests.into_iter();
        let found =
            tests.find(|(after_not, word, _)| *after_not == negated && parser.take_word(word));
        found.map(|(.., test)| test).ok_or_else(|| parser.error(expected))
    }
}

/// Reads `$.a["b c"][0].*` and the like.
fn parse_selector(parser: &mut Parser<'_>) -> Result<Vec<Step>, PatternError> {
    parser.skip_space();
    if !parser.take("$") {
        return Err(parser.error("expected a selector that begins with `$`, or `(`"));
    }
    let mut steps = Vec::new();
    loop {
        let dotted = parser.take(".");
        if parser.take("[") {
            steps.push(parse_bracket(parser)?);
        } else if dotted && parser.take("*") {
            steps.push(Step::Each);
        } else if dotted {
            let name =
                parser.take_while(|next| super::parser::is_word(next) || "-:@/#".contains(next));
            if name.is_empty() {
                return Err(parser.error("expected the name of a property"));
            }
            steps.push(Step::Member(name.to_owned()));
        } else if steps.is_empty() {
            return Err(parser.error("expected `.` or `[` after `$`"));
        } else {
            return Ok(steps);
        }
    }
}

fn parse_bracket(parser: &mut Parser<'_>) -> Result<Step, PatternError> {
    parser.skip_space();
    let step = match parser.peek() {
        Some('"') => Step::Member(parser.quoted()?),
        Some('\'') => {
            parser.next();
            let name = parser.take_while(|next| next != '\'').to_owned();
            parser.expect("'")?;
            Step::Member(name)
        }
        Some('*') => {
            parser.next();
            Step::Each
        }
        Some(_) | None => {
            let expected = parser.error("expected an index, `*` or a name in quotation marks");
            let digits = parser.take_while(|next| next.is_ascii_digit());
            Step::Item(digits.parse().map_err(|_| expected)?)
        }
    };
    parser.expect("]")?;
    Ok(step)
}
