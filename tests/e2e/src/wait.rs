//! Waiting for conditions.

use std::time::{Duration, Instant};

/// How long a condition that is not there yet is left alone.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits until `probe` has an answer.
///
/// # Panics
/// After `bound`, with what `probe` said last.
pub fn eventually<T>(
    what: &str,
    bound: Duration,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    let begin = now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) if begin.elapsed() > bound => {
                panic!("{what}: not within {bound:?}; last: {last}")
            }
            Err(_) => pause(INTERVAL),
        }
    }
}

/// Lets others work between two looks at a condition.
#[expect(clippy::disallowed_methods, reason = "the pause of a bounded wait")]
pub fn pause(interval: Duration) {
    std::thread::sleep(interval);
}

#[expect(clippy::disallowed_methods, reason = "the bound of a wait is real time")]
fn now() -> Instant {
    Instant::now()
}
