//! Time as a value: milliseconds since the Unix epoch.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Stored and compared as a number; AWS's JSON protocols write it as seconds with a fraction
/// (see [`Timestamp::as_epoch_seconds`]).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `epoch_ms` milliseconds after the Unix epoch.
    pub const fn from_epoch_ms(epoch_ms: i64) -> Self {
        Self(epoch_ms)
    }

    /// The moment `seconds` after the Unix epoch, rounded to the nearest millisecond and clamped
    /// to what a timestamp can hold.
    pub fn from_epoch_seconds(seconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
        let epoch_ms = (seconds * 1000.0).round() as i64;
        Self(epoch_ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_epoch_ms(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, with milliseconds as the fraction.
    pub fn as_epoch_seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
        let epoch_ms = self.0 as f64;
        epoch_ms / 1000.0
    }

    /// This moment plus `milliseconds` (negative: earlier), saturating.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// This moment plus `seconds` (negative: earlier), saturating.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_ms(seconds.saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds; a number outside the calendar prints as milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Where the time comes from. Product code never asks the machine itself.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current moment. May step backwards when the machine's clock is set.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is moved; for tests and simulation.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_epoch_ms()))
    }

    /// Moves the clock by `milliseconds`, backwards when negative.
    pub fn advance_ms(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_epoch_ms(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(Timestamp::from_epoch_ms(1_500).to_string(), "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn seconds_keep_milliseconds() {
        let timestamp = Timestamp::from_epoch_ms(1_732_000_000_123);
        assert_eq!(Timestamp::from_epoch_seconds(timestamp.as_epoch_seconds()), timestamp);
    }
}
