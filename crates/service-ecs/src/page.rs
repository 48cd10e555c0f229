//! Pages of lists: `maxResults` and `nextToken`.

use wire::ApiError;

use crate::error::invalid_parameter;

/// The page of `items` (in a fixed order) that a call asks for, and the token of the next one.
///
/// A token is the hexadecimal form of the first key of the next page, so that it stays good when
/// the list changes. `limit` is the most the operation allows, and what it gives when nothing is
/// asked.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    max_results: Option<i32>,
    next_token: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = match max_results {
        None => limit,
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|asked| (1..=limit).contains(asked))
            .ok_or_else(|| {
                invalid_parameter(format!("maxResults must be between 1 and {limit}, not {asked}."))
            })?,
    };
    let from = match next_token.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(
            hex::decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid_parameter("Invalid token."))?,
        ),
    };
    let mut items =
        items.into_iter().filter(|item| from.as_ref().is_none_or(|from| key(item) >= *from));
    let page: Vec<T> = items.by_ref().take(size).collect();
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
                page(items, |item| (*item).to_owned(), Some(2), token.as_deref(), 100).unwrap();
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_token_that_we_did_not_give_is_refused() {
        assert!(page(["a"], |item| (*item).to_owned(), None, Some("zz"), 100).is_err());
        assert!(page(["a"], |item| (*item).to_owned(), Some(0), None, 100).is_err());
    }
}
