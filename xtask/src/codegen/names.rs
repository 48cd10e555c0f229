//! From the models' names to Rust's.

/// Words that cannot be a member's name as they are.
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "static", "struct", "super", "trait", "type", "unsafe", "use", "where",
    "while", "yield",
];

/// The words of a name in any of the models' spellings: `enableECSManagedTags`, `json-file`,
/// `IN_PROGRESS`.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| characters.get(index));
        let after = characters.get(index.saturating_add(1));
        let separator = !character.is_ascii_alphanumeric();
        let starts_word = character.is_ascii_uppercase()
            && (before.is_some_and(|before| !before.is_ascii_uppercase())
                || after.is_some_and(char::is_ascii_lowercase));
        if separator || starts_word {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && !separator
        {
            word.push(character.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `taskRoleArn` -> `task_role_arn`, `type` -> `r#type`.
pub(crate) fn member(name: &str) -> String {
    let snake = words(name).join("_");
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// `TagKey` -> `TAG_KEY`.
pub(crate) fn constant(name: &str) -> String {
    words(name).join("_").to_ascii_uppercase()
}

/// `json-file` -> `JsonFile`, `EC2` -> `Ec2`; digits on both sides of a break stay apart.
pub(crate) fn variant(name: &str) -> String {
    let mut variant = String::new();
    for word in words(name) {
        let ends_in_digit = variant.ends_with(|last: char| last.is_ascii_digit());
        if ends_in_digit && word.starts_with(|first: char| first.is_ascii_digit()) {
            variant.push('_');
        }
        let mut characters = word.chars();
        variant.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        variant.extend(characters);
    }
    variant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(convert: fn(&str) -> String, name: &str, expected: &str) {
        assert_eq!(convert(name), expected);
    }

    #[test]
    fn names_follow_rust() {
        check(member, "taskRoleArn", "task_role_arn");
        check(member, "enableECSManagedTags", "enable_ecs_managed_tags");
        check(member, "type", "r#type");
        check(member, "UserId", "user_id");
        check(member, "ipv6Address", "ipv6_address");
        check(constant, "TagKey", "TAG_KEY");
        check(variant, "json-file", "JsonFile");
        check(variant, "EC2", "Ec2");
        check(variant, "X86_64", "X86_64");
        check(variant, "fargateFIPSMode", "FargateFipsMode");
        check(variant, "IN_PROGRESS", "InProgress");
    }
}
