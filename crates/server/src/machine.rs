//! The machine's clock and entropy: the only place where the product asks for them.

use std::time::{SystemTime, UNIX_EPOCH};

use base::{Clock, IdSource, Timestamp};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
        let now = SystemTime::now();
        let milliseconds = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::wrapping_neg)
            }
        };
        Timestamp::from_epoch_ms(milliseconds)
    }
}

/// A generator that the operating system's entropy seeds; fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl IdSource for OsEntropy {
    fn next_u64(&self) -> u64 {
        let mut bytes = [0_u8; 8];
        if aws_lc_rs::rand::fill(&mut bytes).is_err() {
            tracing::error!("the operating system gives no entropy: nothing can go on safely");
            std::process::abort();
        }
        u64::from_ne_bytes(bytes)
    }
}
