//! Tags on the wire and in records.

use api_organizations::types::Tag;
use iam::Tags;
use wire::ApiError;

use crate::error::{constraint, invalid_input};
use crate::limit;

/// Sets tags.
///
/// # Errors
/// A key given twice, the prefix `aws:`, more than 50 tags in the end.
pub(crate) fn set(tags: &mut Tags, given: Vec<Tag>) -> Result<(), ApiError> {
    let mut seen = std::collections::BTreeSet::new();
    for tag in given {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(invalid_input(format!(
                "The tag key `{key}` begins with `aws:`, which is reserved."
            )));
        }
        if !seen.insert(key.clone()) {
            return Err(invalid_input(format!("You provided the tag key `{key}` twice.")));
        }
        tags.insert(key, value);
    }
    if tags.len() > limit::TAGS {
        return Err(constraint(format!("A resource has at most {} tags.", limit::TAGS)));
    }
    Ok(())
}

/// Tags of something new.
///
/// # Errors
/// As [`set`].
pub(crate) fn read(given: Option<Vec<Tag>>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    set(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

/// Tags as condition keys see them.
pub(crate) fn pairs(given: Option<&Vec<Tag>>) -> impl Iterator<Item = (&str, &str)> {
    given.into_iter().flatten().map(|tag| {
        (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
    })
}
