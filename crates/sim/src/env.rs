//! What everything in a world shares: clock, randomness, trace, monitor.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use base::{Clock as _, ManualClock, SeededIds, Timestamp};
use invariants::{Actor, Monitor, Observation};

use crate::executor::{Timers, lock};
use crate::mutation::Mutation;
use crate::random::Random;

/// When a world begins: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Timestamp = Timestamp::from_epoch_ms(1_767_225_600_000);
/// Lines of the story that are kept.
const STORY_LINES: usize = 400;

/// What everything in a world shares.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) ids: Arc<SeededIds>,
    /// Draws how long things take and what comes first.
    pub(crate) random: Random,
    pub(crate) monitor: Mutex<Monitor>,
    pub(crate) actor: Arc<Mutex<Actor>>,
    pub(crate) trace: Mutex<Trace>,
    pub(crate) names: Mutex<Names>,
    pub(crate) mutation: Mutation,
    /// Everything takes its usual time and comes in its usual order: for scripts.
    pub(crate) calm: bool,
    /// Whether observations are checked; measurements may do without.
    pub(crate) watched: bool,
}

impl Env {
    pub(crate) fn new(seed: u64, calm: bool, mutation: Mutation, watched: bool) -> Arc<Self> {
        let clock = Arc::new(ManualClock::new(BEGIN));
        Arc::new(Self {
            timers: Arc::new(Timers::new(Arc::clone(&clock))),
            clock,
            ids: Arc::new(SeededIds::new(seed ^ 0x5eed)),
            random: Random::new(seed, "order"),
            monitor: Mutex::default(),
            actor: Arc::new(Mutex::new(Actor::Other)),
            trace: Mutex::default(),
            names: Mutex::default(),
            mutation,
            calm,
            watched,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Milliseconds since the world began.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.now().ms_since(BEGIN)
    }

    pub(crate) fn observe(&self, observation: Observation<'_>) {
        if self.watched {
            lock(&self.monitor).observe(self.now(), observation);
        }
    }

    /// `usual`, or something from `least` to `most` where the world is not calm.
    pub(crate) fn takes_ms(&self, usual: i64, least: i64, most: i64) -> i64 {
        if self.calm { usual } else { self.random.between(least, most) }
    }

    /// Adds a line to the story, and to the hash of the trace.
    pub(crate) fn tell(&self, text: &str) {
        let text = lock(&self.names).shorten(text);
        lock(&self.trace).tell(self.elapsed_ms(), &text);
    }

    /// Adds to the hash of the trace only.
    pub(crate) fn mark(&self, number: u64) {
        lock(&self.trace).mix(&number.to_le_bytes());
    }
}

/// What happened, as a hash and as its last lines.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: VecDeque<(i64, String)>,
    /// Steps taken.
    pub(crate) steps: u64,
}

impl Trace {
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn tell(&mut self, at_ms: i64, text: &str) {
        self.mix(&at_ms.to_le_bytes());
        self.mix(text.as_bytes());
        if self.lines.len() >= STORY_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((at_ms, text.to_owned()));
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines, oldest first.
    pub(crate) fn story(&self, lines: usize) -> String {
        let skipped = self.lines.len().saturating_sub(lines);
        let lines = self.lines.iter().skip(skipped);
        lines.map(|(at_ms, text)| format!("{:>12}  {text}\n", clock_text(*at_ms))).collect()
    }
}

/// `1:02:03.456` since the world began.
pub(crate) fn clock_text(at_ms: i64) -> String {
    let (seconds, ms) = (at_ms / 1000, at_ms % 1000);
    format!("{}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Short names of what has long identifiers, in the order in which it appeared.
#[derive(Debug, Default)]
pub(crate) struct Names {
    short: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Names {
    /// Names something; the name it has already, if any.
    pub(crate) fn add(&mut self, kind: &'static str, long: &str) -> String {
        if let Some(known) = self.short.get(long) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let name = format!("{kind}{count}");
        self.short.insert(long.to_owned(), name.clone());
        name
    }

    pub(crate) fn set(&mut self, long: &str, short: &str) {
        self.short.insert(long.to_owned(), short.to_owned());
    }

    /// The short name, or what was given.
    pub(crate) fn of<'a>(&'a self, long: &'a str) -> &'a str {
        self.short.get(long).map_or(long, String::as_str)
    }

    /// What has this short name.
    pub(crate) fn long(&self, short: &str) -> Option<&str> {
        self.short.iter().find(|(_, name)| *name == short).map(|(long, _)| long.as_str())
    }

    /// The text with every known identifier replaced by its short name.
    pub(crate) fn shorten(&self, text: &str) -> String {
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        let mut result = String::with_capacity(text.len());
        let mut word = String::new();
        for character in text.chars() {
            if is_part(character) {
                word.push(character);
            } else {
                result.push_str(self.of(&word));
                word.clear();
                result.push(character);
            }
        }
        result.push_str(self.of(&word));
        result.replace("ecs-svc/", "")
    }
}
