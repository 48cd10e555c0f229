//! Pages of lists: `maxResults` and `nextToken`.

use wire::ApiError;

use crate::error::invalid;

/// The most items of a page, and how many there are when nothing is asked.
const LIMIT: usize = 100;

/// The page of `items` (in the order of their keys) that a call asks for, and the token of the next
/// one: the hexadecimal form of its first key, so that it stays good when the list changes.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    max_results: Option<i32>,
    next_token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    // Other sizes are refused when the input is read.
    let size = max_results.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(LIMIT);
    let from = match next_token {
        None => None,
        Some(token) => Some(
            hex::decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid("The nextToken is not one that this operation gave."))?,
        ),
    };
    let mut items =
        items.into_iter().filter(|item| from.as_ref().is_none_or(|from| key(item) >= *from));
    let page: Vec<T> = items.by_ref().take(size.min(LIMIT)).collect();
    let next = items.next().map(|item| hex::encode(key(&item)));
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_cover_the_list_once() {
        let items = ["a", "b", "c", "d", "e"];
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let (part, next) =
                page(items, |item| (*item).to_owned(), Some(2), token.as_deref()).unwrap();
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
    }
}
