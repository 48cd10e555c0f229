//! Which subject allows which operator and value, and the test they make together.

use regex::{Regex, RegexBuilder};

use super::QueryError;
use super::test::{Comparison, Condition, Moment, Subject, Test, Version};

/// Compiled size of one regular expression at most, in bytes.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// Nesting inside one regular expression at most.
const MAX_PATTERN_NESTING: u32 = 32;

/// Characters in an attribute's name at most, as in ECS.
const MAX_ATTRIBUTE_CHARACTERS: usize = 128;

const FOR_TEXT: &str = "`==`, `!=`, `in`, `!in`, `=~` or `!~`";
const FOR_ORDER: &str = "`==`, `!=`, `>`, `>=`, `<` or `<=`";

/// A piece of the query and where it stands, in characters from 1.
#[derive(Debug)]
pub(super) struct Spot<T> {
    pub(super) position: usize,
    pub(super) text: T,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanEqual,
    LessThan,
    LessThanEqual,
    Matches,
    NotMatches,
    In,
    NotIn,
    Exists,
    NotExists,
}

/// An operator without its negation.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Compare(Comparison),
    Matches,
    In,
    Exists,
}

impl Operator {
    /// The kind, and whether the result is turned round.
    fn kind(self) -> (Kind, bool) {
        match self {
            Self::Equals => (Kind::Compare(Comparison::Equal), false),
            Self::NotEquals => (Kind::Compare(Comparison::Equal), true),
            Self::GreaterThan => (Kind::Compare(Comparison::Greater), false),
            Self::GreaterThanEqual => (Kind::Compare(Comparison::GreaterOrEqual), false),
            Self::LessThan => (Kind::Compare(Comparison::Less), false),
            Self::LessThanEqual => (Kind::Compare(Comparison::LessOrEqual), false),
            Self::Matches => (Kind::Matches, false),
            Self::NotMatches => (Kind::Matches, true),
            Self::In => (Kind::In, false),
            Self::NotIn => (Kind::In, true),
            Self::Exists => (Kind::Exists, false),
            Self::NotExists => (Kind::Exists, true),
        }
    }
}

fn subject_of(word: &str) -> Option<Subject> {
    match word {
        "agentConnected" => Some(Subject::AgentConnected),
        "agentVersion" => Some(Subject::AgentVersion),
        "ec2InstanceId" => Some(Subject::Ec2InstanceId),
        "registeredAt" => Some(Subject::RegisteredAt),
        "runningTasksCount" => Some(Subject::RunningTasksCount),
        "task:group" => Some(Subject::TaskGroup),
        _ => match word.strip_prefix("attribute:") {
            Some(name) if !name.is_empty() => Some(Subject::Attribute(name.to_owned())),
            Some(_) | None => None,
        },
    }
}

/// Whether the word names something that can be asked about.
pub(super) fn is_subject(word: &str) -> bool {
    subject_of(word).is_some()
}

/// Makes the test, or says why the three do not belong together. Comparisons and matches come with
/// exactly one value, `in` with at least one, `exists` with none.
pub(super) fn check(
    subject_word: &Spot<String>,
    operator: &Spot<(&'static str, Operator)>,
    values: Vec<Spot<String>>,
) -> Result<Test, QueryError> {
    let wrong = |expected| QueryError::Value {
        position: subject_word.position,
        value: subject_word.text.clone(),
        expected,
    };
    let subject = subject_of(&subject_word.text).ok_or_else(|| wrong("a subject"))?;
    if let Subject::Attribute(name) = &subject
        && name.chars().count() > MAX_ATTRIBUTE_CHARACTERS
    {
        return Err(wrong("an attribute: names have at most 128 characters"));
    }
    let (spelling, operator_kind) = operator.text;
    let refuse = |allowed| QueryError::Operator {
        position: operator.position,
        subject: subject_word.text.clone(),
        operator: spelling.to_owned(),
        allowed,
    };
    let (kind, negated) = operator_kind.kind();
    let condition = match (&subject, kind) {
        (Subject::Attribute(_) | Subject::TaskGroup, Kind::Exists) => Condition::Exists,
        (Subject::AgentConnected, Kind::Compare(Comparison::Equal) | Kind::In) => {
            truth_values(&values)?;
            text_condition(kind, values)?
        }
        (Subject::AgentConnected | Subject::Ec2InstanceId, Kind::Matches)
        | (Subject::Ec2InstanceId, Kind::Compare(Comparison::Equal) | Kind::In)
        | (Subject::TaskGroup, Kind::Compare(Comparison::Equal) | Kind::In | Kind::Matches)
        | (Subject::Attribute(_), Kind::Compare(_) | Kind::In | Kind::Matches) => {
            text_condition(kind, values)?
        }
        (Subject::AgentVersion, Kind::Compare(comparison)) => {
            let parsed = parsed(values, Version::parse, "a version such as `1.75.0`")?;
            Condition::Version(comparison, parsed)
        }
        (Subject::RunningTasksCount, Kind::Compare(comparison)) => {
            let parsed = parsed(values, |text| text.parse().ok(), "a whole number")?;
            Condition::Count(comparison, parsed)
        }
        (Subject::RegisteredAt, Kind::Compare(comparison)) => {
            let expected = "a date such as `2018-06-18` or `2018-06-18T22:28:28+00:00`";
            Condition::Moment(comparison, parsed(values, Moment::parse, expected)?)
        }
        (Subject::AgentConnected | Subject::Ec2InstanceId, Kind::Compare(_) | Kind::Exists) => {
            return Err(refuse(FOR_TEXT));
        }
        (Subject::TaskGroup, Kind::Compare(_)) => {
            return Err(refuse("`==`, `!=`, `in`, `!in`, `=~`, `!~`, `exists` or `!exists`"));
        }
        (
            Subject::AgentVersion | Subject::RunningTasksCount | Subject::RegisteredAt,
            Kind::Matches | Kind::In | Kind::Exists,
        ) => return Err(refuse(FOR_ORDER)),
    };
    Ok(Test { subject, condition, negated })
}

fn truth_values(values: &[Spot<String>]) -> Result<(), QueryError> {
    match values.iter().find(|value| value.text != "true" && value.text != "false") {
        None => Ok(()),
        Some(wrong) => Err(QueryError::Value {
            position: wrong.position,
            value: wrong.text.clone(),
            expected: "`true` or `false`",
        }),
    }
}

fn text_condition(kind: Kind, values: Vec<Spot<String>>) -> Result<Condition, QueryError> {
    let mut texts = values.into_iter();
    let one = |texts: &mut dyn Iterator<Item = Spot<String>>| {
        texts.next().unwrap_or(Spot { position: 0, text: String::new() })
    };
    Ok(match kind {
        Kind::Exists => Condition::Exists,
        Kind::In => Condition::OneOf(texts.map(|value| value.text).collect()),
        Kind::Matches => Condition::Matches(pattern(one(&mut texts))?),
        Kind::Compare(Comparison::Equal) => Condition::OneOf(vec![one(&mut texts).text]),
        Kind::Compare(comparison) => Condition::Text(comparison, one(&mut texts).text),
    })
}

fn parsed<T>(
    values: Vec<Spot<String>>,
    parse: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<T, QueryError> {
    let value = values.into_iter().next();
    let Spot { position, text } = value.unwrap_or(Spot { position: 0, text: String::new() });
    parse(&text).ok_or(QueryError::Value { position, value: text, expected })
}

/// Compiles a pattern that must match a whole value. Java syntax that would mean something else
/// here is refused.
fn pattern(value: Spot<String>) -> Result<Regex, QueryError> {
    let Spot { position, text } = value;
    let compile = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .nest_limit(MAX_PATTERN_NESTING)
            .build()
    };
    let refused = |reason: String| QueryError::Pattern { position, pattern: text.clone(), reason };
    if has_possessive_quantifier(&text) {
        return Err(refused("possessive quantifiers are Java syntax without a counterpart".into()));
    }
    // First alone, so that no unbalanced parenthesis can reach the anchors around it.
    compile(&text)
        .and_then(|_| compile(&format!(r"\A(?:{text})\z")))
        .map_err(|error| refused(reason_of(&error)))
}

/// The last line of a syntax error is its message; the ones before draw the pattern.
fn reason_of(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(bytes) => format!("it compiles to more than {bytes} bytes"),
        regex::Error::Syntax(_) | _ => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

/// `*+`, `++`, `?+` and `{n}+` outside character classes.
fn has_possessive_quantifier(pattern: &str) -> bool {
    let mut class_depth = 0_usize;
    let mut after_quantifier = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let was_quantifier = after_quantifier;
        after_quantifier = false;
        match character {
            '\\' => {
                let escaped = characters.next();
                // `\p{L}`: these braces are no quantifier.
                if matches!(escaped, Some('p' | 'P' | 'x' | 'u' | 'U'))
                    && characters.peek() == Some(&'{')
                {
                    characters.by_ref().find(|inner| *inner == '}');
                }
            }
            '[' => class_depth += 1,
            ']' => class_depth = class_depth.saturating_sub(1),
            '+' if class_depth == 0 && was_quantifier => return true,
            '*' | '+' | '?' | '}' if class_depth == 0 => after_quantifier = true,
            _ => {}
        }
    }
    false
}
