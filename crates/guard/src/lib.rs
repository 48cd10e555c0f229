//! Security rules over domain types.
