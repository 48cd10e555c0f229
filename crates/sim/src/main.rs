//! Runs worlds of many seeds, and measures big ones.

use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use invariants::Exercised;
use sim::measure::{BusyWorld, PlacementWorld};
use sim::{Mutation, Schedule};

/// Runs the product in simulated worlds until something does not hold.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seeds to run: `0..100`. With `--for`, where to begin.
    #[arg(long, value_parser = seeds, default_value = "0..100")]
    seeds: Range<u64>,
    /// How long to run: `30s`, `10m`. Without it, all of `--seeds`.
    #[arg(long = "for", value_parser = duration)]
    run_for: Option<Duration>,
    /// The commit that is tested; part of what a failure prints.
    #[arg(long, default_value = "unknown")]
    commit: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulated hours in an hour, for 50 nodes and 500 tasks.
    Speed,
    /// Memory and time to place 10,000 tasks, on 100, 1,000 and 5,000 instances.
    Placement,
}

fn seeds(text: &str) -> Result<Range<u64>> {
    let (first, last) = text.split_once("..").context("seeds are given as FIRST..LAST")?;
    Ok(first.parse()?..last.parse()?)
}

fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).context("empty")?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => anyhow::bail!("a duration is a number and s, m or h"),
    };
    Ok(Duration::from_secs(number.parse::<u64>()?.saturating_mul(seconds)))
}

#[expect(clippy::disallowed_methods, reason = "this program measures real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None => soak(&arguments),
        Some(Command::Speed) => speed(),
        Some(Command::Placement) => placement(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether everything held.
fn soak(arguments: &Arguments) -> Result<bool> {
    let begin = now();
    let (mut worlds, mut steps, mut minutes, mut failed) = (0_u64, 0_u64, 0_i64, Vec::new());
    let mut exercised = Exercised::default();
    let mut seed = arguments.seeds.start;
    loop {
        let more = match arguments.run_for {
            Some(limit) => begin.elapsed() < limit,
            None => seed < arguments.seeds.end,
        };
        if !more {
            break;
        }
        let schedule = Schedule::of(seed);
        let report = schedule.run(Mutation::NONE)?;
        worlds = worlds.saturating_add(1);
        steps = steps.saturating_add(report.steps);
        minutes = minutes.saturating_add(report.elapsed_ms / 60_000);
        exercised.add(&report.exercised);
        if !report.is_sound() {
            failed.push(seed);
            say(&format!("commit {}\n{}", arguments.commit, schedule.shrink(report)?));
        }
        seed = seed.saturating_add(1);
    }
    say(&exercised.to_string());
    say(&format!(
        "{worlds} worlds, {} simulated hours, {steps} steps in {:.0} s; failed seeds: {failed:?}",
        minutes / 60,
        begin.elapsed().as_secs_f64(),
    ));
    Ok(failed.is_empty())
}

fn speed() -> Result<bool> {
    let mut world = BusyWorld::new(1, 50)?;
    let begin = now();
    let mut hours = 0_u32;
    while begin.elapsed() < Duration::from_secs(10) {
        world.hour(usize::try_from(hours)?)?;
        hours = hours.saturating_add(1);
    }
    let per_hour = f64::from(hours) * 3600.0 / begin.elapsed().as_secs_f64();
    say(&format!("50 nodes, 500 tasks: {per_hour:.0} simulated hours in an hour"));
    Ok(true)
}

fn placement() -> Result<bool> {
    for instances in [100, 1_000, 5_000] {
        let mut world = PlacementWorld::new(instances)?;
        // As many tasks as make ten an instance with those that are measured.
        let before = (instances * 10).saturating_sub(10_000);
        let measured = if before == 0 { instances * 10 } else { 10_000 };
        world.place(before)?;
        let begin = now();
        world.place(measured)?;
        let seconds = begin.elapsed().as_secs_f64();
        say(&format!(
            "{instances} instances: {measured} tasks placed in {seconds:.2} s; {} tasks assigned, {} MiB",
            world.assigned(),
            resident_mib()?,
        ));
    }
    Ok(true)
}

/// Memory of this process in MiB.
fn resident_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024)
}
