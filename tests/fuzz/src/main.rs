//! Runs the fuzzers for a given time, in turn.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to who started it")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use fuzz::{Budget, Recorder, TARGETS, UNPACK_ARGUMENT, campaign};

/// Runs the fuzzers for a given time, in turn.
#[derive(Debug, Parser)]
struct Options {
    /// How long in all: `90s`, `10m`, `2h`.
    #[arg(long = "for", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    time: Duration,
    /// Only these targets; may be repeated.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// The seed; without it, one from the clock.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    // Before anything else: the helper gives up its rights, which takes a single thread.
    if arguments.next().as_deref() == Some(UNPACK_ARGUMENT) {
        return images::unpack::child_main(&arguments.next().unwrap_or_default());
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| {
            options.target.is_empty() || options.target.iter().any(|name| name == target.name)
        })
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("no such target: choose among {}", names.join(", "));
    }
    let seed = options.seed.unwrap_or_else(chance);
    let count = u32::try_from(chosen.len()).unwrap_or(1);
    let (mut cases, mut found) = (0, 0);
    for target in chosen {
        let recorder = Recorder::new(&std::env::temp_dir(), target.name)?;
        match campaign(target, seed, Budget::Time(options.time / count), &recorder) {
            Ok(report) => {
                cases += report.cases;
                println!(
                    "{}: {} cases, {} behaviours",
                    target.name, report.cases, report.behaviours
                );
            }
            Err(finding) => {
                found += 1;
                println!("{finding}");
            }
        }
    }
    println!("fuzz: seed {seed}, {count} targets, {cases} cases, {found} findings");
    if found > 0 {
        bail!("{found} targets failed");
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration> {
    let (number, factor) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => (number, 1),
        Some((number, "m")) => (number, 60),
        Some((number, "h")) => (number, 3600),
        Some(_) | None => bail!("write a number and `s`, `m` or `h`"),
    };
    let number: u64 = number.parse().context("not a whole number before the unit")?;
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

#[expect(clippy::disallowed_methods, reason = "a seed that differs from run to run; it is printed")]
fn chance() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}
