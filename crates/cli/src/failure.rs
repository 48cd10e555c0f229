//! What a user sees when a command fails.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// A failed command: one line, the lines of its causes, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    causes: Vec<String>,
    advice: Vec<String>,
}

impl Failure {
    /// A failure without a cause.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), causes: Vec::new(), advice: Vec::new() }
    }

    /// A failure of ours with the error behind it.
    pub(crate) fn caused(what: impl Into<String>, error: &dyn Error) -> Self {
        let mut failure = Self::new(what);
        let mut cause = Some(error);
        while let Some(error) = cause {
            failure.causes.push(error.to_string());
            cause = error.source();
        }
        failure
    }

    /// An error and the errors behind it.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut failure = Self::caused(String::new(), error);
        failure.what = failure.causes.remove(0);
        failure
    }

    /// A failure for several reasons, each with what to do about it.
    pub(crate) fn listed(what: impl Into<String>, problems: Vec<(String, String)>) -> Self {
        let mut failure = Self::new(what);
        (failure.causes, failure.advice) = problems.into_iter().unzip();
        failure
    }

    /// Adds what to do.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", one_line(&self.what));
        for (label, lines) in [("caused by", &self.causes), ("what to do", &self.advice)] {
            for line in lines {
                // Writing to a string cannot fail.
                let _written = writeln!(text, "{label}: {}", one_line(line));
            }
        }
        text
    }

    /// Prints it to standard error.
    pub(crate) fn print(&self) {
        // There is nowhere else to say that this did not work.
        let _written = io::stderr().lock().write_all(self.text().as_bytes());
    }
}

/// Other people's errors may have several lines, and control characters.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_advice_get_a_line_each() {
        let error = io::Error::other("disk\non fire");
        let failure = Failure::caused("cannot save", &error).advice("call for help");
        assert_eq!(
            failure.text(),
            "error: cannot save\ncaused by: disk on fire\nwhat to do: call for help\n"
        );
    }
}
