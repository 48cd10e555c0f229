//! The example service: price quotes over HTTP, and a batch job.
fn main() {}
