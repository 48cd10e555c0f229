//! A small repeatable source of randomness, seeded by the caller.

/// SplitMix64 (Steele, Lea, Flood 2014): placement needs spread, not secrecy.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but without `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = u128::from(self.next_u64());
        let scaled = (drawn * u128::try_from(bound).unwrap_or(0)) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}
