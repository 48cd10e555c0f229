//! Tags on the wire and in records.

use api_ecs::types;
use domain::Tags;
use wire::ApiError;

use crate::error::invalid_parameter;

/// The most tags of one resource.
const MAX_TAGS: usize = 50;

/// Tags as a caller gives them.
///
/// # Errors
///
/// More than 50, a key without text or given twice, the prefix `aws:`.
pub(crate) fn read(given: Option<Vec<types::Tag>>) -> Result<Tags, ApiError> {
    let given = given.unwrap_or_default();
    check_count(given.len())?;
    let mut tags = Tags::new();
    for tag in given {
        let key = tag.key.unwrap_or_default();
        if key.is_empty() {
            return Err(invalid_parameter("A tag key must have 1 to 128 characters."));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(invalid_parameter(format!(
                "The tag key `{key}` begins with `aws:`, which is reserved."
            )));
        }
        if tags.insert(key.clone(), tag.value.unwrap_or_default()).is_some() {
            return Err(invalid_parameter(format!("The tag key `{key}` is given twice.")));
        }
    }
    Ok(tags)
}

/// Whether a resource may have so many tags.
pub(crate) fn check_count(tags: usize) -> Result<(), ApiError> {
    if tags > MAX_TAGS {
        return Err(invalid_parameter(format!(
            "{tags} tags given: a resource can have at most {MAX_TAGS}."
        )));
    }
    Ok(())
}

/// Tags as they are answered.
pub(crate) fn render(tags: &Tags) -> Vec<types::Tag> {
    tags.iter()
        .map(|(key, value)| types::Tag { key: Some(key.clone()), value: Some(value.clone()) })
        .collect()
}
