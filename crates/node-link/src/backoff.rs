//! Pauses between attempts.

use std::sync::Arc;
use std::time::Duration;

use base::IdSource;

const FIRST_MS: u64 = 250;
const LONGEST_MS: u64 = 120_000;

/// Pauses of 250 ms to 2 min, each half as long again as the one before, less up to a fifth, so that
/// nodes that lost their control plane together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    ids: Arc<dyn IdSource>,
    next_ms: u64,
}

impl Backoff {
    pub(crate) fn new(ids: Arc<dyn IdSource>) -> Self {
        Self { ids, next_ms: FIRST_MS }
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let full = self.next_ms;
        self.next_ms = full.saturating_mul(3).saturating_div(2).min(LONGEST_MS);
        let less = self.ids.next_u64() % full.saturating_div(5).max(1);
        Duration::from_millis(full.saturating_sub(less))
    }

    /// Begins anew: an attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.next_ms = FIRST_MS;
    }
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Arc::new(SeededIds::new(1)));
        let pauses: Vec<_> =
            std::iter::repeat_with(|| backoff.next().as_millis()).take(30).collect();
        assert!((200..=250).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 120_000), "{pauses:?}");
        assert!(pauses[29] >= 96_000, "{pauses:?}");
        backoff.reset();
        assert!(backoff.next().as_millis() <= 250);
    }
}
