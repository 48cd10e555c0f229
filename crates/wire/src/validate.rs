//! The models' constraints, and AWS's words for breaking them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{ApiError, Pattern, StringEnum};

/// How many broken constraints one message names; the rest is counted.
const MAX_LISTED: usize = 50;

/// How many characters of a value one message shows.
const MAX_VALUE_CHARS: usize = 256;

/// How many members of a list or map one message shows.
const MAX_VALUE_MEMBERS: usize = 10;

/// A structure that can be held against its model's constraints. Generated.
pub trait Validate {
    /// Adds every constraint broken by this value or below it.
    fn validate(&self, violations: &mut Violations);
}

/// Bounds on a length: characters of a string, members of a list, entries of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// The least length; 0 allows everything.
    pub min: usize,
    /// The greatest length; `usize::MAX` allows everything.
    pub max: usize,
}

impl Length {
    /// Allows every length.
    pub const ANY: Self = Self { min: 0, max: usize::MAX };

    fn check(self, length: usize, broken: &mut Vec<String>) {
        if length > self.max {
            broken.push(self.at_most());
        }
        if length < self.min {
            broken.push(self.at_least());
        }
    }

    fn at_most(self) -> String {
        format!("Member must have length less than or equal to {}", self.max)
    }

    fn at_least(self) -> String {
        format!("Member must have length greater than or equal to {}", self.min)
    }
}

/// Bounds on a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least value; `i64::MIN` allows everything.
    pub min: i64,
    /// The greatest value; `i64::MAX` allows everything.
    pub max: i64,
}

/// Constraints on a string.
#[derive(Debug)]
pub struct StringRule {
    /// Bounds on the number of characters.
    pub length: Length,
    /// What the whole string must match.
    pub pattern: Option<&'static Pattern>,
    /// Whether messages must not show the value.
    pub sensitive: bool,
}

impl StringRule {
    /// Allows every string.
    pub const ANY: Self = Self { length: Length::ANY, pattern: None, sensitive: false };

    fn check(&self, text: &str, broken: &mut Vec<String>) {
        // Every character takes one to four bytes: most strings need no counting.
        if text.len() > self.length.max || text.len() / 4 < self.length.min {
            self.length.check(text.chars().count(), broken);
        }
        if let Some(pattern) = self.pattern
            && !pattern.matches(text)
        {
            broken.push(pattern_words(pattern));
        }
    }

    fn is_broken_by(&self, text: &str) -> bool {
        let mut broken = Vec::new();
        self.check(text, &mut broken);
        !broken.is_empty()
    }

    /// All constraints in words, as AWS lists them for the members of a list.
    fn words(&self) -> String {
        let mut words = Vec::new();
        if self.length.max != usize::MAX {
            words.push(self.length.at_most());
        }
        if self.length.min > 0 {
            words.push(self.length.at_least());
        }
        words.extend(self.pattern.map(pattern_words));
        words.join(", ")
    }
}

fn pattern_words(pattern: &Pattern) -> String {
    format!("Member must satisfy regular expression pattern: {}", pattern.shown())
}

fn enum_words<E: StringEnum>() -> String {
    format!("Member must satisfy enum value set: [{}]", E::VALUES.join(", "))
}

/// `text`, cut after 256 characters.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn shown_list<'text>(texts: impl ExactSizeIterator<Item = &'text str>) -> String {
    let total = texts.len();
    let mut list = texts.take(MAX_VALUE_MEMBERS).collect::<Vec<_>>().join(", ");
    if total > MAX_VALUE_MEMBERS {
        let _ = write!(list, ", … {total} in all");
    }
    shown(&list)
}

#[derive(Debug, Clone, Copy)]
enum Segment {
    Member(&'static str),
    Index(usize),
}

/// The broken constraints of one input, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Violations {
    path: Vec<Segment>,
    listed: Vec<String>,
    total: usize,
}

impl Violations {
    /// `None` when nothing is broken, otherwise AWS's message, for example
    /// `1 validation error detected: Value null at 'taskDefinition' failed to satisfy constraint:
    /// Member must not be null`. It names at most 50 of them and counts the rest; a value is cut
    /// after 256 characters.
    pub fn message(&self) -> Option<String> {
        let total = self.total;
        let plural = match total {
            0 => return None,
            1 => "",
            _ => "s",
        };
        let mut message =
            format!("{total} validation error{plural} detected: {}", self.listed.join("; "));
        if total > self.listed.len() {
            let _ = write!(message, "; and {} more", total.saturating_sub(self.listed.len()));
        }
        Some(message)
    }

    /// Fails with `code`, status 400, when anything is broken.
    ///
    /// # Errors
    /// The message of [`Self::message`].
    pub fn into_result(self, code: &'static str) -> Result<(), ApiError> {
        match self.message() {
            Some(message) => Err(ApiError::sender(code, message)),
            None => Ok(()),
        }
    }

    /// The member must be present.
    pub fn required<T>(&mut self, name: &'static str, value: Option<&T>) {
        if value.is_none() {
            self.add(name, "Value null", "Member must not be null");
        }
    }

    /// The string must follow `rule`.
    pub fn string(&mut self, name: &'static str, value: Option<&String>, rule: &StringRule) {
        let Some(text) = value else { return };
        let mut broken = Vec::new();
        rule.check(text, &mut broken);
        for constraint in broken {
            self.add(name, &value_words(text, rule.sensitive), &constraint);
        }
    }

    /// Every string of the list must follow `rule`.
    pub fn strings(&mut self, name: &'static str, value: Option<&Vec<String>>, rule: &StringRule) {
        let Some(texts) = value else { return };
        if texts.iter().any(|text| rule.is_broken_by(text)) {
            let list = format!("[{}]", shown_list(texts.iter().map(String::as_str)));
            let constraint = format!("Member must satisfy constraint: [{}]", rule.words());
            self.add(name, &value_words(&list, rule.sensitive), &constraint);
        }
    }

    /// Every key and value of the map must follow its rule.
    pub fn map(
        &mut self,
        name: &'static str,
        value: Option<&BTreeMap<String, String>>,
        keys: &StringRule,
        values: &StringRule,
    ) {
        let Some(entries) = value else { return };
        let sensitive = keys.sensitive || values.sensitive;
        let words = value_words(
            &format!("{{{}}}", shown_list(entries.keys().map(String::as_str))),
            sensitive,
        );
        if entries.keys().any(|key| keys.is_broken_by(key)) {
            let constraint = format!("Map keys must satisfy constraint: [{}]", keys.words());
            self.add(name, &words, &constraint);
        }
        if entries.values().any(|text| values.is_broken_by(text)) {
            let constraint = format!("Map value must satisfy constraint: [{}]", values.words());
            self.add(name, &words, &constraint);
        }
    }

    /// The number must be in `range`.
    pub fn number(
        &mut self,
        name: &'static str,
        value: Option<&(impl Into<i64> + Copy)>,
        range: Range,
    ) {
        let Some(number) = value.map(|number| (*number).into()) else { return };
        let words = format!("Value '{number}'");
        if number > range.max {
            let constraint = format!("Member must have value less than or equal to {}", range.max);
            self.add(name, &words, &constraint);
        }
        if number < range.min {
            let constraint =
                format!("Member must have value greater than or equal to {}", range.min);
            self.add(name, &words, &constraint);
        }
    }

    /// The value must be one of the model's.
    pub fn choice<E: StringEnum>(&mut self, name: &'static str, value: Option<&E>) {
        if let Some(text) = value.and_then(E::unrecognized) {
            self.add(name, &value_words(text, false), &enum_words::<E>());
        }
    }

    /// Every value of the list must be one of the model's.
    pub fn choices<E: StringEnum>(&mut self, name: &'static str, value: Option<&Vec<E>>) {
        let Some(choices) = value else { return };
        if choices.iter().any(|choice| choice.unrecognized().is_some()) {
            let list = format!("[{}]", shown_list(choices.iter().map(E::as_str)));
            let constraint = format!("Member must satisfy constraint: [{}]", enum_words::<E>());
            self.add(name, &value_words(&list, false), &constraint);
        }
    }

    /// The list must have so many members.
    pub fn list_length<T>(&mut self, name: &'static str, value: Option<&Vec<T>>, length: Length) {
        if let Some(list) = value {
            self.members(name, "[]", list.len(), length);
        }
    }

    /// The map must have so many entries.
    pub fn map_length<T>(
        &mut self,
        name: &'static str,
        value: Option<&BTreeMap<String, T>>,
        length: Length,
    ) {
        if let Some(map) = value {
            self.members(name, "{}", map.len(), length);
        }
    }

    /// The structure, if present, must follow its own constraints.
    pub fn structure<T: Validate>(&mut self, name: &'static str, value: Option<&T>) {
        if let Some(structure) = value {
            self.path.push(Segment::Member(name));
            structure.validate(self);
            self.path.pop();
        }
    }

    /// Every structure of the list must follow its own constraints.
    pub fn structures<T: Validate>(&mut self, name: &'static str, value: Option<&Vec<T>>) {
        let Some(list) = value else { return };
        self.path.push(Segment::Member(name));
        for (index, structure) in list.iter().enumerate() {
            self.path.push(Segment::Index(index));
            structure.validate(self);
            self.path.pop();
        }
        self.path.pop();
    }

    fn members(&mut self, name: &'static str, empty: &str, count: usize, length: Length) {
        let mut broken = Vec::new();
        length.check(count, &mut broken);
        for constraint in broken {
            let words = match count {
                0 => format!("Value '{empty}'"),
                _ => format!("Value of {count} members"),
            };
            self.add(name, &words, &constraint);
        }
    }

    fn add(&mut self, name: &'static str, value: &str, constraint: &str) {
        self.total = self.total.saturating_add(1);
        if self.listed.len() < MAX_LISTED {
            let path = self.path_to(name);
            self.listed
                .push(format!("{value} at '{path}' failed to satisfy constraint: {constraint}"));
        }
    }

    fn path_to(&self, name: &'static str) -> String {
        let mut path = String::new();
        for segment in &self.path {
            let _ = match segment {
                Segment::Member(member) => write!(path, "{member}."),
                Segment::Index(index) => write!(path, "{}.member.", index.saturating_add(1)),
            };
        }
        path.push_str(name);
        path
    }
}

fn value_words(text: &str, sensitive: bool) -> String {
    if sensitive { "Value".to_owned() } else { format!("Value '{}'", shown(text)) }
}
