//! One line of a script: words, quoted where they hold spaces, and options `name=value`.

use std::collections::BTreeMap;

/// A line taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The first word.
    pub(crate) verb: String,
    /// Words without `=`.
    pub(crate) words: Vec<String>,
    /// Words `name=value`.
    pub(crate) options: BTreeMap<String, String>,
    /// What follows ` : `.
    pub(crate) rest: Option<String>,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Self {
        let (text, rest) = match text.split_once(" : ") {
            Some((text, rest)) => (text, Some(rest.trim().to_owned())),
            None => (text, None),
        };
        let mut line = Self { rest, ..Self::default() };
        for (index, word) in split(text).into_iter().enumerate() {
            match word.split_once('=') {
                _ if index == 0 => line.verb = word,
                Some((name, value)) if !name.contains(':') => {
                    line.options.insert(name.to_owned(), value.to_owned());
                }
                Some(_) | None => line.words.push(word),
            }
        }
        line
    }

    pub(crate) fn word(&self, index: usize) -> Result<&str, String> {
        let word = self.words.get(index).map(String::as_str);
        word.ok_or_else(|| format!("`{}` needs {} words", self.verb, index.saturating_add(1)))
    }

    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("`{name}={text}` is no number"));
        self.option(name).map(parse).transpose()
    }

    pub(crate) fn duration_ms(&self, name: &str, otherwise: i64) -> Result<i64, String> {
        match self.option(name) {
            None => Ok(otherwise),
            Some(text) => crate::behaviour::milliseconds(text)
                .ok_or_else(|| format!("`{name}={text}` is no duration: 200ms, 30s, 5m, 2h")),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
