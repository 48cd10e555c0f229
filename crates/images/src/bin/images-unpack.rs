//! The unpack helper as a program of its own, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let specification = std::env::args().next_back().unwrap_or_default();
    images::unpack::child_main(&specification)
}
