//! What is wrong with a document, collected while it is read.

use super::{DocumentError, MAX_PROBLEMS, MAX_TEXT_CHARS};
use crate::json::{Member, Node, Value};
use crate::statement::Position;

#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<DocumentError>,
}

/// A text of a document, and where it stands.
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) path: String,
    pub(super) at: Position,
}

impl Problems {
    pub(super) fn add(&mut self, path: &str, at: Position, problem: impl Into<String>) {
        if self.found.len() < MAX_PROBLEMS {
            let Position { line, column } = at;
            self.found.push(DocumentError {
                path: path.to_owned(),
                line,
                column,
                problem: problem.into(),
            });
        }
    }

    /// The problems, in the order of the document.
    pub(super) fn finish(mut self) -> Result<(), Vec<DocumentError>> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|error| (error.line, error.column));
        Err(self.found)
    }

    /// The members of an object, each name once.
    pub(super) fn object<'a>(&mut self, path: &str, node: &'a Node) -> &'a [Member] {
        let Value::Object(members) = &node.value else {
            let problem = format!("expected an object, found {}", node.value.kind());
            self.add(path, node.start, problem);
            return &[];
        };
        for (index, member) in members.iter().enumerate() {
            if members.iter().take(index).any(|earlier| earlier.name == member.name) {
                let problem = format!("the key `{}` is there twice: keep one", member.name);
                self.add(&join(path, &member.name), member.at, problem);
            }
        }
        members
    }

    /// A text or a list of at least one text.
    pub(super) fn texts<'a>(&mut self, path: &str, node: &'a Node) -> Vec<Text<'a>> {
        self.values(path, node, |value| match value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Flag(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
                None
            }
        })
    }

    /// A text, number or truth value, or a list of at least one.
    pub(super) fn scalars<'a>(&mut self, path: &str, node: &'a Node) -> Vec<Text<'a>> {
        self.values(path, node, |value| match value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Flag(true) => Some("true"),
            Value::Flag(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Object(_) => None,
        })
    }

    fn values<'a>(
        &mut self,
        path: &str,
        node: &'a Node,
        text_of: impl Fn(&'a Value) -> Option<&'a str>,
    ) -> Vec<Text<'a>> {
        let Value::List(items) = &node.value else {
            return self.value(path.to_owned(), node, &text_of).into_iter().collect();
        };
        if items.is_empty() {
            self.add(path, node.start, "the list is empty: write at least one value");
        }
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.value(format!("{path}[{index}]"), item, &text_of))
            .collect()
    }

    fn value<'a>(
        &mut self,
        path: String,
        node: &'a Node,
        text_of: impl Fn(&'a Value) -> Option<&'a str>,
    ) -> Option<Text<'a>> {
        let Some(text) = text_of(&node.value) else {
            let problem =
                format!("expected a text or a list of texts, found {}", node.value.kind());
            self.add(&path, node.start, problem);
            return None;
        };
        if text.chars().nth(MAX_TEXT_CHARS).is_some() {
            let problem = format!("the text is longer than {MAX_TEXT_CHARS} characters");
            self.add(&path, node.start, problem);
            return None;
        }
        Some(Text { text, path, at: node.start })
    }
}

/// The path of the member `name` of what stands at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path == "document" { name.to_owned() } else { format!("{path}.{name}") }
}
