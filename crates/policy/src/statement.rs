//! Statements: what the decision looks at.

use std::sync::Arc;

use crate::condition::Condition;
use crate::context::{Facts, Key};
use crate::glob::Glob;
use crate::principals::Principals;
use crate::template::Template;

/// A place in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What a statement does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// A statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) index: usize,
    pub(crate) sid: Option<Arc<str>>,
    pub(crate) effect: Effect,
    pub(crate) start: Position,
    pub(crate) end: Position,
    pub(crate) actions: Set<ActionPattern>,
    /// `None`: the document is of a kind that needs none.
    pub(crate) resources: Option<Set<Template>>,
    /// `None`: the document is of a kind that has none.
    pub(crate) principals: Option<Principals>,
    pub(crate) conditions: Vec<Condition>,
}

/// Patterns, of which one must match, or with `negated` none may.
#[derive(Debug, Clone)]
pub(crate) struct Set<T> {
    pub(crate) negated: bool,
    pub(crate) patterns: Vec<T>,
}

impl<T> Set<T> {
    fn holds(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.negated
    }
}

/// `*`, or `service:Name` with wildcards in the name; in any case.
#[derive(Debug, Clone)]
pub(crate) struct ActionPattern {
    text: Box<str>,
    /// `None`: every action of every service.
    parts: Option<(Box<str>, Glob)>,
}

impl ActionPattern {
    /// Reads `text`.
    ///
    /// # Errors
    /// Why it is no action.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self { text: text.into(), parts: None });
        }
        let Some((service, name)) = text.split_once(':') else {
            return Err(format!(
                "`{text}` is not an action: it must be prefaced by a service, as in `ecs:RunTask`"
            ));
        };
        let is_service = !service.is_empty()
            && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_service {
            return Err(format!("the service `{service}` of the action `{text}` is not valid"));
        }
        let is_allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?' | b'-' | b'_' | b'.')
        };
        if name.contains(':') {
            return Err(format!("the action `{text}` can contain only one colon"));
        }
        if name.is_empty() || !name.bytes().all(is_allowed) {
            return Err(format!("the name of the action `{text}` is not valid"));
        }
        let parts = (service.to_ascii_lowercase().into(), Glob::new(&name.to_ascii_lowercase()));
        Ok(Self { text: text.into(), parts: Some(parts) })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The service in lower case; `None` for `*`.
    pub(crate) fn service(&self) -> Option<&str> {
        self.parts.as_ref().map(|(service, _)| &**service)
    }

    /// Whether it matches an action whose parts are in lower case.
    fn matches(&self, action: Option<(&str, &str)>) -> bool {
        match (&self.parts, action) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((wanted, glob)), Some((service, name))) => {
                **wanted == *service && glob.matches(name)
            }
        }
    }
}

impl Statement {
    /// Its place in the document, from 0.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Its `Sid`.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Whether it allows or denies.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Where its opening brace stands.
    pub const fn start(&self) -> Position {
        self.start
    }

    /// The place after its closing brace.
    pub const fn end(&self) -> Position {
        self.end
    }

    /// Whether it is about all actions but those of [`Statement::actions`].
    pub const fn is_not_action(&self) -> bool {
        self.actions.negated
    }

    /// The patterns of `Action` or `NotAction`, as written.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.patterns.iter().map(ActionPattern::text)
    }

    /// Whether it is about all resources but those of [`Statement::resources`].
    pub fn is_not_resource(&self) -> bool {
        self.resources.as_ref().is_some_and(|set| set.negated)
    }

    /// The patterns of `Resource` or `NotResource`, as written; none where the document needs none.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().flat_map(|set| &set.patterns).map(Template::text)
    }

    /// Whether it matches only under conditions.
    pub const fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Whether `action`, `service:Name` in any case, is one that it is about.
    pub fn is_about_action(&self, action: &str) -> bool {
        let lower = action.to_ascii_lowercase();
        self.actions.holds(|pattern| pattern.matches(lower.split_once(':')))
    }

    /// The keys that its conditions and variables ask for.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let resources =
            self.resources.iter().flat_map(|set| &set.patterns).flat_map(Template::keys);
        self.conditions.iter().flat_map(Condition::keys).chain(resources)
    }

    /// Whether it is about the access, whoever the principal is. A variable without a value makes
    /// `Resource` match nothing, and `NotResource` as well: the statement does not match.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        let action = facts.action_parts();
        self.actions.holds(|pattern| pattern.matches(action))
            && self.resources.as_ref().is_none_or(|set| {
                set.holds(|template| template.matches(&facts.access.resource, facts))
                    && (!set.negated
                        || set.patterns.iter().all(|template| template.has_values(facts)))
            })
            && self.conditions.iter().all(|condition| condition.holds(facts))
    }
}
