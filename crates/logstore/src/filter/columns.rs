//! Patterns for messages of fields separated by spaces: `[ip, ..., status = 4*, size > 100]`.

use super::PatternError;
use super::parser::{Parser, is_word};
use super::value::{Comparison, Value};

const FIELD_LIMIT: usize = 128;

/// A condition on each field.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// The fields before the ellipsis, or all.
    head: Vec<Column>,
    /// The fields after the ellipsis; `None` without one.
    tail: Option<Vec<Column>>,
}

#[derive(Debug, Clone)]
enum Column {
    Anything,
    Compare(Comparison),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Columns {
    pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        parser.expect("[")?;
        let mut columns = Self { head: Vec::new(), tail: None };
        loop {
            parser.skip_space();
            if parser.take("...") {
                if columns.tail.is_some() {
                    return Err(parser.error("only one `...` is possible"));
                }
                columns.tail = Some(Vec::new());
            } else {
                let column = Column::parse_any(parser)?;
                columns.tail.as_mut().unwrap_or(&mut columns.head).push(column);
            }
            if columns.head.len() + columns.tail.as_ref().map_or(0, Vec::len) > FIELD_LIMIT {
                return Err(parser.error(format!("more than {FIELD_LIMIT} fields")));
            }
            parser.skip_space();
            if parser.take("]") {
                return Ok(columns);
            }
            if !parser.take(",") {
                return Err(parser.error("expected `,` or `]`"));
            }
        }
    }

    pub(super) fn matches(&self, message: &[u8]) -> bool {
        let fields: Vec<&[u8]> = Fields { rest: message }.collect();
        let fits = |columns: &[Column], fields: &[&[u8]]| {
            columns.iter().zip(fields).all(|(column, field)| column.holds(field))
        };
        match &self.tail {
            None => fields.len() == self.head.len() && fits(&self.head, &fields),
            Some(tail) => {
                let tail_start = fields.len().checked_sub(tail.len());
                tail_start.filter(|start| *start >= self.head.len()).is_some_and(|start| {
                    let last = fields.get(start..).unwrap_or_default();
                    fits(&self.head, &fields) && fits(tail, last)
                })
            }
        }
    }
}

impl Column {
    fn parse_any(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let mut columns = vec![Self::parse_all(parser)?];
        parser.skip_space();
        while parser.take("||") {
            columns.push(Self::parse_all(parser)?);
            parser.skip_space();
        }
        Ok(Self::Any(columns))
    }

    fn parse_all(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        let mut columns = vec![Self::parse_one(parser)?];
        parser.skip_space();
        while parser.take("&&") {
            columns.push(Self::parse_one(parser)?);
            parser.skip_space();
        }
        Ok(Self::All(columns))
    }

    /// Reads `name`, `name = value` or the same in parentheses. The name says nothing; the field
    /// without one is allowed.
    fn parse_one(parser: &mut Parser<'_>) -> Result<Self, PatternError> {
        parser.skip_space();
        if parser.take("(") {
            parser.enter()?;
            let column = Self::parse_any(parser)?;
            parser.expect(")")?;
            parser.leave();
            return Ok(column);
        }
        if parser.peek() == Some('"') {
            parser.quoted()?;
        } else {
            parser.take_while(|next| is_word(next) || "-.:@/#$*".contains(next));
        }
        let comparison = Comparison::parse(parser, |next| next == ',' || next == ']')?;
        Ok(comparison.map_or(Self::Anything, Self::Compare))
    }

    fn holds(&self, field: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Compare(comparison) => comparison.holds(Value::Text(field)),
            Self::All(columns) => columns.iter().all(|column| column.holds(field)),
            Self::Any(columns) => columns.iter().any(|column| column.holds(field)),
        }
    }
}

/// The fields of a message: separated by spaces, which do not count between `[` and `]` or
/// between quotation marks; those marks are not part of the field.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let closing = match rest.first()? {
            b'"' => Some(b'"'),
            b'[' => Some(b']'),
            _ => None,
        };
        if let Some(closing) = closing
            && let Some((_, inside)) = rest.split_first()
            && let Some(end) = memchr::memchr(closing, inside)
        {
            let (field, after) = inside.split_at_checked(end)?;
            self.rest = after.get(1..).unwrap_or_default();
            return Some(field);
        }
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (field, after) = rest.split_at_checked(end)?;
        self.rest = after;
        Some(field)
    }
}
