//! Every planted bug is seen by the predicate that it is for, and by no other first.

#![cfg(test)]

use std::collections::BTreeSet;

use invariants::Invariant;
use sim::{Mutation, Schedule};

/// A world in which everything happens that planted bugs need.
fn schedule() -> Schedule {
    Schedule::given(
        7,
        &[
            (0, "cluster default"),
            (0, "node a b cpu=8192 memory=8192"),
            (1_000, "task web cpu=128 memory=128 : main"),
            (
                1_000,
                "task job cpu=128 memory=128 : init(nonessential,exit=0@2s) main(after=init/SUCCESS)",
            ),
            (1_000, "task pair cpu=128 memory=128 : db main(after=db/START,stop=3s)"),
            (1_000, "task end cpu=128 memory=128 : main(exit=0@10s)"),
            (2_000, "run job"),
            (3_000, "run pair count=2"),
            (4_000, "service calm task=web count=1"),
            (5_000, "service web count=4 min=100 max=150 breaker=rollback"),
            (90_000, "run end"),
            (95_000, "run nowhere"),
            (120_000, "stop t1"),
            (121_000, "stop t2"),
            (122_000, "stop t3"),
            (130_000, "update web force"),
            (200_000, "task bad cpu=128 memory=128 : main(startfail)"),
            (202_000, "update web task=bad"),
            (250_000, "service gone task=web count=1"),
            (300_000, "delete gone force"),
            (310_000, "run web"),
        ],
    )
}

#[test]
fn the_world_without_a_bug_is_sound() {
    let report = schedule().run(Mutation::NONE).unwrap();
    assert!(report.is_sound(), "{:?} {:?}\n{}", report.violations, report.stuck, report.story);
}

#[test]
fn every_planted_bug_is_seen_by_its_own_predicate_only() {
    let mut wrong = Vec::new();
    for invariant in Invariant::ALL {
        let report = schedule().run(Mutation::of(*invariant)).unwrap();
        let broken: BTreeSet<Invariant> =
            report.violations.iter().map(|violation| violation.invariant).collect();
        if broken != BTreeSet::from([*invariant]) {
            wrong.push(format!("{invariant:?}: {:?} {:?}", report.violations, report.stuck));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
