//! Conditions: an operator, a key, and the values to compare with.

use crate::context::{Facts, Key, Value};
use crate::glob::{Glob, Token, tokens_match};
use crate::template::{Reading, Template};
use crate::values::{self, Cidr};

/// How the values of a key are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// The key has one value.
    Single,
    /// `ForAnyValue:`.
    Any,
    /// `ForAllValues:`.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Null,
    Bool,
    Text { wildcards: bool, ignore_case: bool },
    Arn,
    Number(Comparison),
    Date(Comparison),
    Binary,
    Address,
}

/// What a condition operator's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    quantity: Quantity,
    family: Family,
    negated: bool,
    if_exists: bool,
}

const EXACT: Family = Family::Text { wildcards: false, ignore_case: false };
const IGNORE_CASE: Family = Family::Text { wildcards: false, ignore_case: true };
const LIKE: Family = Family::Text { wildcards: true, ignore_case: false };

/// Each operator in lower case, what it compares, and whether it is a negation.
const OPERATORS: [(&str, Family, bool); 27] = [
    ("null", Family::Null, false),
    ("bool", Family::Bool, false),
    ("binaryequals", Family::Binary, false),
    ("stringequals", EXACT, false),
    ("stringnotequals", EXACT, true),
    ("stringequalsignorecase", IGNORE_CASE, false),
    ("stringnotequalsignorecase", IGNORE_CASE, true),
    ("stringlike", LIKE, false),
    ("stringnotlike", LIKE, true),
    ("numericequals", Family::Number(Comparison::Equal), false),
    ("numericnotequals", Family::Number(Comparison::Equal), true),
    ("numericlessthan", Family::Number(Comparison::Less), false),
    ("numericlessthanequals", Family::Number(Comparison::LessOrEqual), false),
    ("numericgreaterthan", Family::Number(Comparison::Greater), false),
    ("numericgreaterthanequals", Family::Number(Comparison::GreaterOrEqual), false),
    ("dateequals", Family::Date(Comparison::Equal), false),
    ("datenotequals", Family::Date(Comparison::Equal), true),
    ("datelessthan", Family::Date(Comparison::Less), false),
    ("datelessthanequals", Family::Date(Comparison::LessOrEqual), false),
    ("dategreaterthan", Family::Date(Comparison::Greater), false),
    ("dategreaterthanequals", Family::Date(Comparison::GreaterOrEqual), false),
    ("ipaddress", Family::Address, false),
    ("notipaddress", Family::Address, true),
    ("arnequals", Family::Arn, false),
    ("arnlike", Family::Arn, false),
    ("arnnotequals", Family::Arn, true),
    ("arnnotlike", Family::Arn, true),
];

impl Operator {
    /// Reads an operator's name, whatever its case.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let lower = name.to_ascii_lowercase();
        let (quantity, rest) = if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            (Quantity::Any, rest)
        } else if let Some(rest) = lower.strip_prefix("forallvalues:") {
            (Quantity::All, rest)
        } else {
            (Quantity::Single, &*lower)
        };
        let (base, if_exists) =
            rest.strip_suffix("ifexists").map_or((rest, false), |base| (base, true));
        let Some((_, family, negated)) = OPERATORS.iter().find(|(known, ..)| *known == base) else {
            return Err(format!(
                "`{name}` is not a condition operator: write one such as `StringEquals`, \
                 `ArnLike`, `Bool` or `IpAddress`"
            ));
        };
        if if_exists && *family == Family::Null {
            return Err("`Null` already asks whether the key exists: remove `IfExists`".to_owned());
        }
        Ok(Self { quantity, family: *family, negated: *negated, if_exists })
    }

    /// A test for no values yet.
    pub(crate) const fn test(self) -> Test {
        match self.family {
            Family::Null => Test::Null(Vec::new()),
            Family::Bool => Test::Bool(Vec::new()),
            Family::Text { wildcards, ignore_case } => {
                Test::Text { wildcards, ignore_case, templates: Vec::new() }
            }
            Family::Arn => Test::Arn(Vec::new()),
            Family::Number(comparison) => Test::Number(comparison, Vec::new()),
            Family::Date(comparison) => Test::Date(comparison, Vec::new()),
            Family::Binary => Test::Binary(Vec::new()),
            Family::Address => Test::Address(Vec::new()),
        }
    }
}

/// What a value is compared with: any of the values of the document.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Null(Vec<bool>),
    Bool(Vec<bool>),
    Text { wildcards: bool, ignore_case: bool, templates: Vec<Template> },
    Arn(Vec<ArnPattern>),
    Number(Comparison, Vec<f64>),
    Date(Comparison, Vec<i64>),
    Binary(Vec<Vec<u8>>),
    Address(Vec<Cidr>),
}

impl Test {
    /// Adds a value of the document; `variables` says whether it may have any.
    ///
    /// # Errors
    /// Why it is not a value of the operator's type.
    pub(crate) fn add(&mut self, text: &str, variables: bool) -> Result<(), String> {
        let wrong = |wanted: &str| format!("`{text}` is not {wanted}");
        match self {
            Self::Null(flags) | Self::Bool(flags) => {
                flags.push(values::flag(text).ok_or_else(|| wrong("`true` or `false`"))?);
            }
            Self::Text { wildcards, templates, .. } => {
                templates
                    .push(Template::parse(text, Reading { wildcards: *wildcards, variables })?);
            }
            Self::Arn(patterns) => patterns.push(ArnPattern::parse(text, variables)?),
            Self::Number(_, numbers) => {
                numbers.push(values::number(text).ok_or_else(|| wrong("a number"))?);
            }
            Self::Date(_, moments) => moments.push(values::time_ms(text).ok_or_else(|| {
                wrong("a date: write one such as `2026-11-20T00:00:00Z`, or seconds since 1970")
            })?),
            Self::Binary(all) => {
                all.push(values::base64(text).ok_or_else(|| wrong("padded base64"))?);
            }
            Self::Address(ranges) => ranges.push(Cidr::parse(text).ok_or_else(|| {
                wrong("an address range: write one such as `203.0.113.0/24` or `2001:db8::/32`")
            })?),
        }
        Ok(())
    }

    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Text { templates, .. } => templates.iter().collect(),
            Self::Arn(patterns) => patterns.iter().map(|pattern| &pattern.template).collect(),
            Self::Null(_)
            | Self::Bool(_)
            | Self::Number(..)
            | Self::Date(..)
            | Self::Binary(_)
            | Self::Address(_) => Vec::new(),
        }
    }

    /// Whether `value` is what any of the document's values asks for.
    fn matches(&self, value: Value<'_>, facts: &Facts<'_>) -> bool {
        match self {
            Self::Null(_) => false,
            Self::Bool(flags) => value.flag().is_some_and(|flag| flags.contains(&flag)),
            Self::Text { ignore_case, templates, .. } => {
                let text = value.text();
                templates.iter().any(|template| {
                    if *ignore_case {
                        template.matches_but_case(&text, facts)
                    } else {
                        template.matches(&text, facts)
                    }
                })
            }
            Self::Arn(patterns) => {
                let text = value.text();
                patterns.iter().any(|pattern| pattern.matches(&text, facts))
            }
            Self::Number(comparison, numbers) => value.number().is_some_and(|found| {
                numbers.iter().any(|wanted| comparison.holds(found.partial_cmp(wanted)))
            }),
            Self::Date(comparison, moments) => value.time_ms().is_some_and(|found| {
                moments.iter().any(|wanted| comparison.holds(Some(found.cmp(wanted))))
            }),
            Self::Binary(all) => {
                values::base64(&value.text()).is_some_and(|found| all.contains(&found))
            }
            Self::Address(ranges) => value
                .address()
                .is_some_and(|address| ranges.iter().any(|range| range.contains(address))),
        }
    }
}

impl Comparison {
    fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}

/// An ARN with wildcards, compared part by part: a wildcard does not reach beyond its part, but in the
/// sixth, which may have colons.
#[derive(Debug, Clone)]
pub(crate) struct ArnPattern {
    template: Template,
    /// The six parts, when there are no variables.
    parts: Option<Box<[Glob]>>,
}

impl ArnPattern {
    fn parse(text: &str, variables: bool) -> Result<Self, String> {
        let text = if text == "*" { "*:*:*:*:*:*" } else { text };
        let template = Template::parse(text, Reading { wildcards: true, variables })?;
        let parts = template.plain_tokens().map(|tokens| -> Box<[Glob]> {
            parts(&tokens).map(|part| Glob::from_tokens(part.to_vec())).collect()
        });
        if parts.as_ref().is_some_and(|parts| parts.len() < ARN_PARTS) {
            return Err(format!(
                "`{text}` is not an ARN: write all six parts, \
                 `arn:partition:service:region:account:resource`"
            ));
        }
        Ok(Self { template, parts })
    }

    fn matches(&self, text: &str, facts: &Facts<'_>) -> bool {
        let found = text.splitn(ARN_PARTS, ':');
        match &self.parts {
            Some(wanted) => match_all(wanted.iter(), found, Glob::matches),
            None => self.template.tokens(facts).is_some_and(|tokens| {
                let same = |wanted: &[Token], found: &str| {
                    tokens_match(wanted, found, |one, other| one == other)
                };
                match_all(parts(&tokens), found, same)
            }),
        }
    }
}

const ARN_PARTS: usize = 6;

fn parts(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    tokens.splitn(ARN_PARTS, |token| *token == Token::Char(':'))
}

/// Whether each of the six parts matches.
fn match_all<T>(
    mut wanted: impl Iterator<Item = T>,
    mut found: std::str::SplitN<'_, char>,
    matches: impl Fn(T, &str) -> bool,
) -> bool {
    (0..ARN_PARTS).all(|_| match (wanted.next(), found.next()) {
        (Some(wanted), Some(found)) => matches(wanted, found),
        (None | Some(_), _) => false,
    })
}

/// One key of one operator.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    key: Key,
    test: Test,
}

impl Condition {
    pub(crate) fn new(operator: Operator, key: &str, test: Test) -> Self {
        Self { operator, key: Key::new(key), test }
    }

    /// The key, and those of the variables in its values.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let variables = self.test.templates().into_iter().flat_map(Template::keys);
        std::iter::once(&self.key).chain(variables)
    }

    /// Whether the access is as the condition says.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let Operator { quantity, negated, if_exists, .. } = self.operator;
        let found = facts.values(&self.key);
        if let Test::Null(wanted) = &self.test {
            return wanted.contains(&found.is_none());
        }
        let Some(found) = found else {
            return if_exists
                || match quantity {
                    Quantity::Single => negated,
                    Quantity::Any => false,
                    Quantity::All => true,
                };
        };
        match quantity {
            Quantity::Single => found.any(|value| self.test.matches(value, facts)) != negated,
            Quantity::Any => found.any(|value| self.test.matches(value, facts) != negated),
            Quantity::All => !found.any(|value| self.test.matches(value, facts) == negated),
        }
    }
}
