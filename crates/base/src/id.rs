//! Identifiers and the source of their randomness.

use std::fmt;
use std::sync::Mutex;

/// Where identifiers and other randomness come from. Product code never asks the machine itself.
///
/// Implementations differ in quality: the program passes one backed by the operating system's
/// entropy, tests pass [`SeededIds`].
pub trait IdSource: Send + Sync + fmt::Debug {
    /// 64 random bits.
    fn next_u64(&self) -> u64;

    /// 32 lower-case hexadecimal digits: the identifier of a task or a container instance.
    fn hex32(&self) -> String {
        format!("{:016x}{:016x}", self.next_u64(), self.next_u64())
    }

    /// A random (version 4) UUID in its usual spelling: container ids, request ids.
    fn uuid(&self) -> String {
        let high = (self.next_u64() & !0xf000) | 0x4000;
        let low = (self.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// 19 decimal digits, as in `ecs-svc/0123456789012345678`: a deployment's identifier.
    fn decimal19(&self) -> String {
        format!("{:019}", self.next_u64() % 10_000_000_000_000_000_000)
    }
}

/// A repeatable source: the same seed gives the same identifiers. For tests and simulation.
#[derive(Debug)]
pub struct SeededIds(Mutex<u64>);

impl SeededIds {
    /// A source that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl IdSource for SeededIds {
    /// SplitMix64 (Steele, Lea, Flood 2014): enough spread for test identifiers.
    fn next_u64(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_identifiers() {
        assert_eq!(SeededIds::new(7).hex32(), SeededIds::new(7).hex32());
        assert_ne!(SeededIds::new(7).hex32(), SeededIds::new(8).hex32());
    }

    #[test]
    fn a_uuid_is_version_4_of_the_rfc_variant() {
        let uuid = SeededIds::new(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn identifiers_have_their_lengths() {
        let ids = SeededIds::new(3);
        assert_eq!(ids.hex32().len(), 32);
        assert_eq!(ids.decimal19().len(), 19);
    }
}
