//! Pages of lists: `MaxResults` and `NextToken`.

use wire::ApiError;

use crate::error::invalid_input;

/// How many items a page has at most, and when nothing is asked.
const MAX_ITEMS: usize = 20;

/// The page of `items` that a call asks for, and the token of the next. Items come in the order of
/// `key`, which is unique: the token is the hexadecimal form of the first key of the next page.
///
/// # Errors
/// `InvalidInputException` when the token is none.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    max_results: Option<i32>,
    next_token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = max_results.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(MAX_ITEMS);
    let from = match next_token {
        None => None,
        Some(token) => Some(
            hex::decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid_input("You specified an invalid value for nextToken."))?,
        ),
    };
    let mut items: Vec<(String, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut items =
        items.into_iter().skip_while(|(key, _)| from.as_ref().is_some_and(|from| key < from));
    let page = items.by_ref().take(size.clamp(1, MAX_ITEMS)).map(|(_, item)| item).collect();
    Ok((page, items.next().map(|(key, _)| hex::encode(key))))
}
