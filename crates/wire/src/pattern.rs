//! Regular expressions of the models.

use std::sync::OnceLock;

use regex::Regex;

/// A regular expression of a model, compiled once when first needed.
#[derive(Debug)]
pub struct Pattern {
    shown: &'static str,
    expression: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern shown to callers as `shown` (the model's spelling) and matched as `expression`
    /// (the same in this library's dialect, anchored at both ends).
    pub const fn new(shown: &'static str, expression: &'static str) -> Self {
        Self { shown, expression, compiled: OnceLock::new() }
    }

    /// The model's spelling.
    pub const fn shown(&self) -> &'static str {
        self.shown
    }

    /// Whether the whole of `text` matches. The generator compiles every expression; one that
    /// does not compile matches nothing.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled
            .get_or_init(|| Regex::new(self.expression).ok())
            .as_ref()
            .is_some_and(|regex| regex.is_match(text))
    }
}
