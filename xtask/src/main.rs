//! Development tasks: code generation, tidiness, builds, benchmarks.
fn main() {}
