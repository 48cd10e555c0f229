//! Text to expression: recursive descent with bounded depth.

use super::check::{self, Operator, Spot};
use super::{Expression, MAX_NESTING, MAX_QUERY_CHARACTERS, QueryError};

/// Parses a whole query.
pub(super) fn parse(text: &str) -> Result<Expression, QueryError> {
    let length = text.chars().count();
    if length > MAX_QUERY_CHARACTERS {
        return Err(QueryError::TooLong(length));
    }
    let mut parser = Parser { characters: text.chars().collect(), next: 0, depth: 0 };
    let expression = parser.any()?;
    parser.skip_space();
    if parser.next < parser.characters.len() {
        return Err(parser.unexpected("`and`, `or` or the end"));
    }
    Ok(expression)
}

#[derive(Debug)]
struct Parser {
    characters: Vec<char>,
    /// Index of the next character.
    next: usize,
    depth: usize,
}

/// Symbols before words, longer ones before their beginnings.
const OPERATORS: [(&str, Operator); 23] = [
    ("==", Operator::Equals),
    ("!=", Operator::NotEquals),
    (">=", Operator::GreaterThanEqual),
    ("<=", Operator::LessThanEqual),
    ("=~", Operator::Matches),
    ("!~", Operator::NotMatches),
    (">", Operator::GreaterThan),
    ("<", Operator::LessThan),
    ("!in", Operator::NotIn),
    ("!exists", Operator::NotExists),
    ("equals", Operator::Equals),
    ("not_equals", Operator::NotEquals),
    ("greater_than_equal", Operator::GreaterThanEqual),
    ("greater_than", Operator::GreaterThan),
    ("less_than_equal", Operator::LessThanEqual),
    ("less_than", Operator::LessThan),
    ("matches", Operator::Matches),
    ("not_matches", Operator::NotMatches),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("exists", Operator::Exists),
    ("not_exists", Operator::NotExists),
    // ECS's guide writes the plain equals sign in places.
    ("=", Operator::Equals),
];

const AN_OPERATOR: &str = "an operator such as `==`, `=~`, `in` or `exists`";
const A_SUBJECT: &str = "a subject such as `attribute:NAME`, `agentVersion` or `task:group`";

impl Parser {
    fn any(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.all()?];
        while self.take_symbol("||") || self.take_word("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.negation()?];
        while self.take_symbol("&&") || self.take_word("and") {
            parts.push(self.negation()?);
        }
        Ok(single_or(parts, Expression::All))
    }

    fn negation(&mut self) -> Result<Expression, QueryError> {
        if self.take_symbol("!") || self.take_word("not") {
            Ok(Expression::Not(Box::new(self.primary()?)))
        } else {
            self.primary()
        }
    }

    fn primary(&mut self) -> Result<Expression, QueryError> {
        self.skip_space();
        let position = self.next + 1;
        if self.take_symbol("(") {
            self.depth += 1;
            if self.depth > MAX_NESTING {
                return Err(QueryError::TooDeep(position));
            }
            let inner = self.any()?;
            if !self.take_symbol(")") {
                return Err(self.unexpected("`)`, `and` or `or`"));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        let subject = self.subject()?;
        let operator = self.operator()?;
        let values = match operator.text.1 {
            Operator::Exists | Operator::NotExists => Vec::new(),
            Operator::In | Operator::NotIn => self.list()?,
            Operator::Equals
            | Operator::NotEquals
            | Operator::GreaterThan
            | Operator::GreaterThanEqual
            | Operator::LessThan
            | Operator::LessThanEqual
            | Operator::Matches
            | Operator::NotMatches => vec![self.value(false)?],
        };
        Ok(Expression::Test(check::check(&subject, &operator, values)?))
    }

    fn subject(&mut self) -> Result<Spot<String>, QueryError> {
        self.skip_space();
        let start = self.next;
        let word: String = self
            .rest()
            .iter()
            .take_while(|character| {
                !character.is_whitespace() && !"=!<>~()[],'\"&|".contains(**character)
            })
            .collect();
        if word.is_empty() {
            return Err(self.unexpected(A_SUBJECT));
        }
        if !check::is_subject(&word) {
            return Err(self.unexpected(A_SUBJECT));
        }
        self.next += word.chars().count();
        Ok(Spot { position: start + 1, text: word })
    }

    fn operator(&mut self) -> Result<Spot<(&'static str, Operator)>, QueryError> {
        self.skip_space();
        let position = self.next + 1;
        for (spelling, operator) in OPERATORS {
            let is_word = spelling.ends_with(|last: char| last.is_ascii_alphabetic());
            if if is_word { self.take_word(spelling) } else { self.take_symbol(spelling) } {
                return Ok(Spot { position, text: (spelling, operator) });
            }
        }
        Err(self.unexpected(AN_OPERATOR))
    }

    fn list(&mut self) -> Result<Vec<Spot<String>>, QueryError> {
        if !self.take_symbol("[") {
            return Err(self.unexpected("`[` and a list of values"));
        }
        let mut values = vec![self.value(true)?];
        while self.take_symbol(",") {
            values.push(self.value(true)?);
        }
        if !self.take_symbol("]") {
            return Err(self.unexpected("`,` or `]`"));
        }
        Ok(values)
    }

    /// A bare word or a quoted text. Outside lists a bare word may hold brackets and commas, as
    /// regular expressions do.
    fn value(&mut self, in_list: bool) -> Result<Spot<String>, QueryError> {
        self.skip_space();
        let position = self.next + 1;
        if let Some(quote @ ('\'' | '"')) = self.peek() {
            return self.quoted(quote, position);
        }
        let mut text = String::new();
        while let Some(character) = self.peek() {
            let ends = character.is_whitespace()
                || "()'\"".contains(character)
                || (in_list && "[],".contains(character))
                || self.at_symbol("&&")
                || self.at_symbol("||");
            if ends {
                break;
            }
            text.push(character);
            self.next += 1;
        }
        if text.is_empty() { Err(self.unexpected("a value")) } else { Ok(Spot { position, text }) }
    }

    /// A backslash before the quote stands for the quote; any other is part of the text.
    fn quoted(&mut self, quote: char, position: usize) -> Result<Spot<String>, QueryError> {
        self.next += 1;
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.next += 1;
            if character == quote {
                return Ok(Spot { position, text });
            }
            if character == '\\' && self.peek() == Some(quote) {
                text.push(quote);
                self.next += 1;
            } else {
                text.push(character);
            }
        }
        Err(QueryError::OpenQuote(position))
    }

    fn rest(&self) -> &[char] {
        self.characters.get(self.next..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().first().copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next += 1;
        }
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        let mut rest = self.rest().iter();
        symbol.chars().all(|expected| rest.next() == Some(&expected))
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let found = self.at_symbol(symbol);
        if found {
            self.next += symbol.chars().count();
        }
        found
    }

    /// Takes a word that is not only the beginning of a longer one.
    fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let after = self.rest().get(word.chars().count());
        let ends = after.is_none_or(|next| !next.is_alphanumeric() && !"_:.-".contains(*next));
        ends && self.take_symbol(word)
    }

    /// The error for what stands at the next character.
    fn unexpected(&mut self, expected: &'static str) -> QueryError {
        self.skip_space();
        let rest = self.rest();
        let is_word =
            |character: &&char| !character.is_whitespace() && !"()[],'\"".contains(**character);
        let word: String = rest.iter().take_while(is_word).take(40).collect();
        let found = match (word.is_empty(), rest.first()) {
            (_, None) => "the end".to_owned(),
            (true, Some(character)) => format!("`{character}`"),
            (false, Some(_)) => format!("`{word}`"),
        };
        QueryError::Unexpected { position: self.next + 1, expected, found }
    }
}

fn single_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}
