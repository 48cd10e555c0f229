//! Tags on the wire and in records.

use api_iam::types;
use iam::Tags;
use wire::ApiError;

use crate::error::{invalid_input, limit_exceeded};
use crate::quota;

/// Tags as a caller gives them to something new.
///
/// # Errors
/// What [`set`] refuses.
pub(crate) fn read(given: Option<Vec<types::Tag>>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    set(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

/// Sets tags. Keys are unique without regard to case: a key that is there in another spelling is
/// replaced.
///
/// # Errors
/// A key given twice, the prefix `aws:`, more than 50 tags in the end.
pub(crate) fn set(tags: &mut Tags, given: Vec<types::Tag>) -> Result<(), ApiError> {
    let mut seen = std::collections::BTreeSet::new();
    for tag in given {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        check_key(&key)?;
        if !seen.insert(key.to_lowercase()) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        remove(tags, &key);
        tags.insert(key, value);
    }
    if tags.len() > quota::TAGS {
        return Err(limit_exceeded(format!(
            "The number of tags has reached the maximum limit: {}.",
            quota::TAGS
        )));
    }
    Ok(())
}

/// Takes tags away; keys that are not there do no harm.
pub(crate) fn unset(tags: &mut Tags, keys: &[String]) {
    for key in keys {
        remove(tags, key);
    }
}

/// Tags as they are answered.
pub(crate) fn render(tags: &Tags) -> Vec<types::Tag> {
    tags.iter().map(|(key, value)| one(key, value)).collect()
}

/// One tag as it is answered.
pub(crate) fn one(key: &str, value: &str) -> types::Tag {
    types::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}

/// Tags as an answer has them that leaves them out when there are none.
pub(crate) fn render_some(tags: &Tags) -> Option<Vec<types::Tag>> {
    (!tags.is_empty()).then(|| render(tags))
}

fn remove(tags: &mut Tags, key: &str) {
    let key = key.to_lowercase();
    tags.retain(|other, _| other.to_lowercase() != key);
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(invalid_input("System tags cannot be added/updated by requester."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_without_regard_to_case() {
        let mut tags = read(Some(vec![one("Team", "a"), one("cost", "1")])).unwrap();
        set(&mut tags, vec![one("team", "b")]).unwrap();
        assert_eq!(render(&tags), [one("cost", "1"), one("team", "b")]);
        unset(&mut tags, &["TEAM".to_owned(), "none".to_owned()]);
        assert_eq!(render(&tags), [one("cost", "1")]);
        assert!(set(&mut tags, vec![one("a", ""), one("A", "")]).is_err());
        assert!(set(&mut tags, vec![one("AWS:x", "")]).is_err());
    }

    #[test]
    fn an_identity_has_at_most_50_tags() {
        let many = |count: usize| (0..count).map(|number| one(&number.to_string(), "")).collect();
        assert!(read(Some(many(50))).is_ok());
        assert_eq!(read(Some(many(51))).unwrap_err().code, "LimitExceeded");
    }
}
