//! Worlds of pinned seeds: everything holds, the same seed is the same world, and no invariant is vacuous.

#![cfg(test)]

use invariants::{Exercised, Invariant};
use sim::{Mutation, Report, Schedule};

/// Worlds that are part of every test run.
const PINNED: std::ops::Range<u64> = 0..40;

fn run(seed: u64) -> Report {
    let schedule = Schedule::of(seed);
    let report = schedule.run(Mutation::NONE).unwrap();
    if !report.is_sound() {
        panic!("{}", schedule.shrink(report).unwrap());
    }
    report
}

#[test]
fn everything_holds_and_every_invariant_is_exercised() {
    let mut exercised = Exercised::default();
    for seed in PINNED {
        exercised.add(&run(seed).exercised);
    }
    for invariant in Invariant::ALL {
        assert!(exercised.of(*invariant) > 0, "{} is vacuous:\n{exercised}", invariant.id());
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 100..150 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
        hashes.insert(first.trace_hash);
    }
    assert_eq!(hashes.len(), 50, "different seeds are different worlds");
}
