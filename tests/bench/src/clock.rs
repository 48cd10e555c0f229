//! Time, which is what this program measures.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use base::Timestamp;

/// How long to leave a condition alone that is not there yet.
const INTERVAL: Duration = Duration::from_millis(1);

#[expect(clippy::disallowed_methods, reason = "a measurement needs the machine's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day, as the measured program stamps it on what it does.
#[expect(clippy::disallowed_methods, reason = "compared with the program's own times")]
pub(crate) fn time_of_day() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_epoch_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The time of day in milliseconds.
pub(crate) fn epoch_ms() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for hundreds of thousands of years")]
    let ms = time_of_day().as_epoch_ms() as f64;
    ms
}

/// Milliseconds since `begin`.
pub(crate) fn ms_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

/// Looks for something again and again; fails after `bound`.
pub(crate) fn wait<T>(
    what: &str,
    bound: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begin = now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if begin.elapsed() > bound {
            bail!("{what}: not within {bound:?}");
        }
        e2e::pause(INTERVAL);
    }
}
