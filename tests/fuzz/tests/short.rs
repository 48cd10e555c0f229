//! Each fuzzer for a short while: its corpus and some mutations. The program `fuzz` goes on for longer.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows a test by its attribute, and this is their helper"
)]

use fuzz::{Budget, Recorder, TARGETS, campaign};

/// The seed of the tests; soak takes others.
const SEED: u64 = 4;

fn check(name: &str, cases: usize, least_behaviours: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let recorder = Recorder::new(&std::env::temp_dir(), name).expect("make a file");
    let report = campaign(target, SEED, Budget::Cases(cases), &recorder)
        .unwrap_or_else(|finding| panic!("{finding}"));
    // A fuzzer that is refused at the door finds nothing.
    assert!(report.behaviours >= least_behaviours, "{report:?}");
}

#[test]
fn json_bodies() {
    check("wire_json", 4_000, 300);
}

#[test]
fn query_bodies() {
    check("wire_query", 4_000, 200);
}

#[test]
fn signatures() {
    check("sigv4", 4_000, 200);
}

#[test]
fn policy_documents() {
    check("policy", 2_000, 40);
}

#[test]
fn cluster_queries() {
    check("query", 6_000, 500);
}

#[test]
fn log_filters() {
    check("log_filter", 6_000, 500);
}

#[test]
fn log_files() {
    check("log_files", 500, 8);
}

#[test]
fn image_archives() {
    check("images", 1_000, 100);
}

#[test]
fn messages_between_programs() {
    check("messages", 10_000, 500);
}

#[test]
fn names() {
    check("names", 10_000, 8);
}
