//! Tokens for places in logs: `f/…/s` goes on to newer events, `b/…/s` to older ones.

use logstore::{Direction, Place};
use wire::ApiError;

use crate::error::invalid_token;

pub(crate) fn write(direction: Direction, place: Place) -> String {
    match direction {
        Direction::Forward => format!("f/{place}/s"),
        Direction::Backward => format!("b/{place}/s"),
    }
}

/// # Errors
/// `InvalidParameterException` for a text that [`write`] did not make.
pub(crate) fn read(token: &str) -> Result<(Direction, Place), ApiError> {
    let (direction, rest) = match token.split_once('/') {
        Some(("f", rest)) => (Direction::Forward, rest),
        Some(("b", rest)) => (Direction::Backward, rest),
        Some(_) | None => return Err(invalid_token()),
    };
    let place = rest.strip_suffix("/s").and_then(|place| place.parse().ok());
    Ok((direction, place.ok_or_else(invalid_token)?))
}

/// The direction that `startFromHead` asks for.
pub(crate) const fn direction(start_from_head: bool) -> Direction {
    if start_from_head { Direction::Forward } else { Direction::Backward }
}
