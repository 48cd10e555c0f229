//! The client's words inside ours.

/// Characters of a client's text that are repeated at most.
const MAX_REPEATED_CHARACTERS: usize = 200;

/// The text in backticks, on one line, cut when it is long.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    for character in text.chars().take(MAX_REPEATED_CHARACTERS) {
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    if text.chars().nth(MAX_REPEATED_CHARACTERS).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}

/// All texts, quoted, separated by commas.
pub(crate) fn quoted_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(quoted).collect::<Vec<_>>().join(", ")
}
