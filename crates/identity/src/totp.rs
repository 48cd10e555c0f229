//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds.

use aws_lc_rs::{constant_time, hmac};
use base::Timestamp;

/// Length of a time step.
const STEP_SECONDS: i64 = 30;
/// How many steps before and after the expected one a code may be of.
const WINDOW_STEPS: i64 = 1;
/// How far off a device may be when it is enabled or resynchronised.
const SEARCH_STEPS: i64 = 20;

/// The time step that `code` is of, when it is of the current one, the one before or the one after
/// on a device that is off by `drift_steps`; never `last_step` or an earlier one, so that a code
/// works once.
pub fn verify(
    seed: &[u8],
    code: &str,
    now: Timestamp,
    last_step: u64,
    drift_steps: i64,
) -> Option<u64> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let expected = step_of(now).saturating_add(drift_steps);
    steps_around(expected, WINDOW_STEPS).find(|step| *step > last_step && is(&key, *step, code))
}

/// The time step of `second`, and by how many steps the device is off, when `first` and `second` are
/// codes of two steps in a row within ten minutes of `now`.
pub fn two_consecutive(
    seed: &[u8],
    first: &str,
    second: &str,
    now: Timestamp,
) -> Option<(u64, i64)> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let current = step_of(now);
    let step = steps_around(current, SEARCH_STEPS).find(|step| {
        is(&key, *step, second) && step.checked_sub(1).is_some_and(|before| is(&key, before, first))
    })?;
    Some((step, i64::try_from(step).ok()?.checked_sub(current)?))
}

/// The code that a device shows at `now`; for who plays the device.
pub fn code(seed: &[u8], now: Timestamp) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    code_of(&key, u64::try_from(step_of(now)).unwrap_or_default())
}

const fn step_of(now: Timestamp) -> i64 {
    now.as_epoch_ms().div_euclid(STEP_SECONDS * 1000)
}

fn steps_around(step: i64, distance: i64) -> impl Iterator<Item = u64> {
    let range = step.saturating_sub(distance)..=step.saturating_add(distance);
    range.filter_map(|step| u64::try_from(step).ok())
}

fn is(key: &hmac::Key, step: u64, code: &str) -> bool {
    let expected = code_of(key, step);
    constant_time::verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok()
}

fn code_of(key: &hmac::Key, step: u64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let offset = tag.as_ref().last().map_or(0, |byte| usize::from(byte & 0x0f));
    let bytes = tag.as_ref().iter().skip(offset).take(4);
    let number = bytes.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_ms(seconds * 1000)
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, the last six of eight digits.
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SEED, at(seconds)), expected, "at {seconds}");
        }
    }

    #[test]
    fn a_code_works_once_and_near_its_time() {
        let shown = code(SEED, at(300));
        for (now, last_step, drift, expected) in [
            (300, 0, 0, Some(10)),
            (270, 0, 0, Some(10)),
            (330, 9, 0, Some(10)),
            (330, 10, 0, None),
            (330, 11, 0, None),
            (360, 0, 0, None),
            (360, 0, -1, Some(10)),
            (240, 0, 0, None),
        ] {
            let found = verify(SEED, &shown, at(now), last_step, drift);
            assert_eq!(found, expected, "at {now}, last {last_step}, drift {drift}");
        }
        assert_eq!(verify(SEED, "", at(300), 0, 0), None);
        assert_eq!(verify(SEED, &format!("{shown}0"), at(300), 0, 0), None);
    }

    #[test]
    fn two_codes_tell_how_far_a_device_is_off() {
        let (first, second) = (code(SEED, at(3000)), code(SEED, at(3030)));
        assert_eq!(two_consecutive(SEED, &first, &second, at(3030)), Some((101, 0)));
        assert_eq!(two_consecutive(SEED, &first, &second, at(3330)), Some((101, -10)));
        assert_eq!(two_consecutive(SEED, &second, &first, at(3030)), None);
        assert_eq!(two_consecutive(SEED, &first, &second, at(9000)), None);
    }
}
