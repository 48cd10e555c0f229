//! Policy documents: from text to what decisions are made from.

mod conditions;
mod problems;
mod statements;

use std::collections::BTreeSet;

use crate::context::Key;
use crate::json;
use crate::statement::Statement;
use problems::Problems;

/// A policy, read and ready for decisions.
#[derive(Debug, Clone)]
pub struct Policy {
    text: String,
    size: usize,
    statements: Vec<Statement>,
}

/// What a document is for: which elements it may have, and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to a user, group or role, inline or managed; also boundaries and session policies.
    Identity,
    /// A role's trust policy.
    Trust,
    /// The policy of another kind of resource.
    Resource,
    /// A service control policy.
    ServiceControl,
}

/// One thing that is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at {path} (line {line}, column {column})")]
pub struct DocumentError {
    /// The place in the document: `Statement[2].Condition.StringLike`.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub problem: String,
}

/// The longest document of any kind, in bytes, whitespace included.
pub const MAX_DOCUMENT_BYTES: usize = 20_480;
/// The most statements of a document.
pub const MAX_STATEMENTS: usize = 250;
/// The longest action, resource, principal, key or value, in characters.
pub const MAX_TEXT_CHARS: usize = 2_048;
/// The most problems that are reported of one document.
pub const MAX_PROBLEMS: usize = 50;

impl Policy {
    /// Reads and checks a document. The limits of IAM on the length of one kind of policy are the
    /// business of its service: see [`Policy::size`].
    ///
    /// # Errors
    /// Everything that is wrong with it, at most [`MAX_PROBLEMS`]; of a text that is not JSON the
    /// first place. Documents beyond [`MAX_DOCUMENT_BYTES`] are not read at all.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, Vec<DocumentError>> {
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(vec![DocumentError {
                path: "document".to_owned(),
                line: 1,
                column: 1,
                problem: format!(
                    "the document has {} bytes, and no policy may have more than \
                     {MAX_DOCUMENT_BYTES}: split it",
                    text.len()
                ),
            }]);
        }
        let read = json::read(text).map_err(|error| vec![error])?;
        let mut problems = Problems::default();
        let statements = statements::document(&mut problems, kind, &read.root);
        problems.finish()?;
        Ok(Self { text: text.to_owned(), size: read.size, statements })
    }

    /// The document as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its length as IAM counts it: characters, without the whitespace between values.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Its statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The keys that its conditions and variables ask for, sorted, each once, as it first writes them.
    pub fn context_keys(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut keys: Vec<String> = self
            .statements
            .iter()
            .flat_map(Statement::keys)
            .map(Key::name)
            .filter(|name| seen.insert(name.to_ascii_lowercase()))
            .map(str::to_owned)
            .collect();
        keys.sort_unstable();
        keys
    }
}
