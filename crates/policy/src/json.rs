//! Reads JSON and remembers where everything stands, so that what is wrong with a policy can be
//! pointed at. Keeps every member of an object, also those that are named twice.

use std::iter::Peekable;
use std::str::Chars;

use crate::{DocumentError, Position};

/// How deep lists and objects may nest. A policy nests five deep.
pub(crate) const MAX_DEPTH: usize = 20;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its first character.
    pub(crate) start: Position,
    /// What follows its last character.
    pub(crate) end: Position,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object; `at` is where its name stands.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

/// What a text holds.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) root: Node,
    /// Characters, without the whitespace between them.
    pub(crate) size: usize,
}

/// Reads `text`, which must be one value.
///
/// # Errors
/// The first place that is not JSON.
pub(crate) fn read(text: &str) -> Result<Read, DocumentError> {
    let start = Position { line: 1, column: 1 };
    let mut reader = Reader { chars: text.chars().peekable(), at: start, size: 0 };
    let root = reader.value(MAX_DEPTH)?;
    reader.skip_whitespace();
    if reader.chars.peek().is_some() {
        return reader.fail("expected the end of the document");
    }
    Ok(Read { root, size: reader.size })
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    at: Position,
    size: usize,
}

type Outcome<T> = Result<T, DocumentError>;

impl Reader<'_> {
    fn fail<T>(&self, problem: &str) -> Outcome<T> {
        Err(DocumentError {
            path: "document".to_owned(),
            line: self.at.line,
            column: self.at.column,
            problem: format!("the document is not valid JSON: {problem}"),
        })
    }

    fn next(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        if char == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        self.size += 1;
        Some(char)
    }

    fn skip_whitespace(&mut self) {
        let before = self.size;
        while matches!(self.chars.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
        self.size = before;
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.chars.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    /// One value, with whitespace before it; `depth` more may nest in it.
    fn value(&mut self, depth: usize) -> Outcome<Node> {
        self.skip_whitespace();
        let start = self.at;
        let Some(inner) = depth.checked_sub(1) else {
            return self.fail(&format!("lists and objects nest deeper than {MAX_DEPTH}"));
        };
        let value = match self.chars.peek() {
            None => return self.fail("it ends where a value is expected"),
            Some('{') => self.object(inner)?,
            Some('[') => self.list(inner)?,
            Some('"') => Value::Text(self.text()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(_) => self.word()?,
        };
        Ok(Node { start, end: self.at, value })
    }

    fn object(&mut self, depth: usize) -> Outcome<Value> {
        self.next();
        let mut members = Vec::new();
        self.skip_whitespace();
        if self.take('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_whitespace();
            let at = self.at;
            if self.chars.peek() != Some(&'"') {
                return self.fail("expected a name in double quotes");
            }
            let name = self.text()?;
            self.skip_whitespace();
            if !self.take(':') {
                return self.fail("expected `:` after a name");
            }
            let node = self.value(depth)?;
            members.push(Member { name, at, node });
            self.skip_whitespace();
            if self.take('}') {
                return Ok(Value::Object(members));
            }
            if !self.take(',') {
                return self.fail("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Outcome<Value> {
        self.next();
        let mut items = Vec::new();
        self.skip_whitespace();
        if self.take(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_whitespace();
            if self.take(']') {
                return Ok(Value::List(items));
            }
            if !self.take(',') {
                return self.fail("expected `,` or `]`");
            }
        }
    }

    fn text(&mut self) -> Outcome<String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.chars.peek() {
                None => return self.fail("it ends inside a text"),
                Some('\0'..='\u{1f}') => {
                    return self.fail("control characters in a text must be escaped");
                }
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some(_) => text.extend(self.next()),
            }
        }
    }

    fn escape(&mut self) -> Outcome<char> {
        self.next();
        let char = match self.chars.peek() {
            Some(char @ ('"' | '\\' | '/')) => *char,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.next();
                return self.unicode();
            }
            Some(_) | None => return self.fail("unknown escape after `\\`"),
        };
        self.next();
        Ok(char)
    }

    /// What follows `\u`, with the second half of a surrogate pair.
    fn unicode(&mut self) -> Outcome<char> {
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF if self.take('\\') && self.take('u') => match self.hex()? {
                second @ 0xDC00..=0xDFFF => 0x1_0000 + ((first - 0xD800) << 10) + second - 0xDC00,
                _ => first,
            },
            _ => first,
        };
        char::from_u32(code).map_or_else(|| self.fail("half of a surrogate pair"), Ok)
    }

    fn hex(&mut self) -> Outcome<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.chars.peek().and_then(|char| char.to_digit(16)) else {
                return self.fail("expected four hexadecimal digits after `\\u`");
            };
            self.next();
            code = code * 16 + digit;
        }
        Ok(code)
    }

    fn number(&mut self) -> Outcome<Value> {
        let mut text = String::new();
        if self.take('-') {
            text.push('-');
        }
        if self.take('0') {
            text.push('0');
        } else {
            self.digits(&mut text)?;
        }
        if self.take('.') {
            text.push('.');
            self.digits(&mut text)?;
        }
        if self.take('e') || self.take('E') {
            text.push('e');
            if self.take('-') {
                text.push('-');
            } else {
                self.take('+');
            }
            self.digits(&mut text)?;
        }
        Ok(Value::Number(text))
    }

    fn digits(&mut self, text: &mut String) -> Outcome<()> {
        if !self.chars.peek().is_some_and(char::is_ascii_digit) {
            return self.fail("expected a digit");
        }
        while self.chars.peek().is_some_and(char::is_ascii_digit) {
            text.extend(self.next());
        }
        Ok(())
    }

    fn word(&mut self) -> Outcome<Value> {
        let mut word = String::new();
        let start = self.at;
        while self.chars.peek().is_some_and(char::is_ascii_alphabetic) {
            word.extend(self.next());
        }
        match word.as_str() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            _ => {
                self.at = start;
                self.fail("expected a value")
            }
        }
    }
}

impl Value {
    /// What kind of value it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fails(text: &str, line: usize, column: usize, problem: &str) {
        let error = read(text).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{error}");
        assert!(error.problem.ends_with(problem), "{error}");
    }

    #[test]
    fn values_know_where_they_stand() {
        let read =
            read("{\n  \"a\": [1.5, \"é\\u00e9\\ud83d\\ude00\", null],\n  \"a\": true }").unwrap();
        let Value::Object(members) = &read.root.value else { panic!("{:?}", read.root) };
        assert_eq!(members.len(), 2);
        assert_eq!(members[1].at, Position { line: 3, column: 3 });
        let Value::List(items) = &members[0].node.value else { panic!("{members:?}") };
        assert_eq!(items[1].start, Position { line: 2, column: 14 });
        assert_eq!(items[1].end, Position { line: 2, column: 35 });
        assert!(matches!(&items[1].value, Value::Text(text) if text == "éé😀"));
        assert_eq!(read.size, 47);
    }

    #[test]
    fn the_first_place_that_is_not_json_is_named() {
        fails("", 1, 1, "it ends where a value is expected");
        fails("{\"a\": 1,\n}", 2, 1, "expected a name in double quotes");
        fails("[1 2]", 1, 4, "expected `,` or `]`");
        fails("{} {}", 1, 4, "expected the end of the document");
        fails("[01]", 1, 3, "expected `,` or `]`");
        fails("[tru]", 1, 2, "expected a value");
        fails("\"\\ud800x\"", 1, 8, "half of a surrogate pair");
        fails("\"a\nb\"", 1, 3, "control characters in a text must be escaped");
        fails(&"[".repeat(50_000), 1, 21, "lists and objects nest deeper than 20");
    }
}
