//! The environment variables that are not options. Only this crate reads any.

/// The value of a variable; `None` when it is not set or no text.
#[expect(clippy::disallowed_methods, reason = "this is where the program reads its environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
