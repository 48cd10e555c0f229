//! Pages of lists: `MaxItems`, `Marker` and `IsTruncated`.

use wire::ApiError;

use crate::error::validation;

/// How many items a page has when nothing is asked.
const DEFAULT_ITEMS: usize = 100;
/// How many items a page has at most.
const MAX_ITEMS: usize = 1000;

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// What the next page begins with, when there is one.
    pub(crate) marker: Option<String>,
}

impl<T> Page<T> {
    /// Whether there are more items.
    #[expect(clippy::unnecessary_wraps, reason = "members of answers are optional")]
    pub(crate) const fn is_truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }

    /// The page with its items as they are answered.
    pub(crate) fn map<U>(self, render: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(render).collect(), marker: self.marker }
    }
}

/// The page of `items` that a call asks for. They come in the order of `key`, which is unique: a marker
/// is the hexadecimal form of the first key of the next page, so that it stays good when the list changes.
///
/// # Errors
/// `ValidationError` when the marker is none.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    max_items: Option<i32>,
    marker: Option<&str>,
) -> Result<Page<T>, ApiError> {
    let size = max_items.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(DEFAULT_ITEMS);
    let from = match marker {
        None => None,
        Some(marker) => Some(
            hex::decode(marker)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| validation("Invalid Marker."))?,
        ),
    };
    let mut items =
        items.into_iter().filter(|item| from.as_ref().is_none_or(|from| key(item) >= *from));
    let page = items.by_ref().take(size.clamp(1, MAX_ITEMS)).collect();
    Ok(Page { items: page, marker: items.next().map(|item| hex::encode(key(&item))) })
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_cover_the_list_once() {
        let items = ["a", "b", "c", "d", "e"];
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let page = page(items, |item| (*item).to_owned(), Some(2), marker.as_deref()).unwrap();
            assert_eq!(page.is_truncated(), Some(page.marker.is_some()));
            seen.extend(page.items);
            marker = page.marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_marker_that_we_did_not_give_is_refused() {
        assert!(page(["a"], |item| (*item).to_owned(), None, Some("zz")).is_err());
    }
}
