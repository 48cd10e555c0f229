//! What is fuzzed.

mod images;
mod logs;
mod messages;
mod names;
mod policies;
mod queries;
mod signatures;
mod wire;

use std::fmt;

/// Something that reads what others wrote.
pub struct Target {
    /// Its name, and that of its corpus directory.
    pub name: &'static str,
    /// Words that mean something to it.
    pub dictionary: &'static [&'static str],
    /// Makes sums in a mutated input right again, most of the time: else nothing gets past them.
    pub(crate) repair: Option<fn(&mut [u8])>,
    /// Reads an input, checks what can be checked of it by panicking, and says how it behaved.
    pub(crate) run: fn(&[u8]) -> u64,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All targets.
pub const TARGETS: [Target; 10] = [
    wire::JSON,
    wire::QUERY,
    signatures::TARGET,
    policies::TARGET,
    queries::TARGET,
    logs::FILTERS,
    logs::FILES,
    images::TARGET,
    messages::TARGET,
    names::TARGET,
];

/// A number for a way of behaving: texts that differ in digits, in letter case or between quotes
/// only have the same.
pub(crate) fn behaviour(what: &impl fmt::Debug) -> u64 {
    let text = format!("{what:?}");
    let (mut sum, mut quoted) = (0xcbf2_9ce4_8422_2325_u64, false);
    for byte in text.bytes().take(400) {
        match byte {
            b'`' | b'\'' => quoted = !quoted,
            b'0'..=b'9' => {}
            _ if quoted => {}
            _ => sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3),
        }
    }
    sum
}
