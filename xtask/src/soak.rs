//! Chance for a given time: simulated worlds, crashes of the real programs, hostile inputs, in turn.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::build::{self, Profile};
use crate::workspace::{Workspace, is_root, run, say};

/// What `cargo xtask soak` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long in all, apart from building: `90s`, `10m`, `2h`.
    #[arg(long = "for", value_name = "DURATION", env = "SOAK", default_value = "10m", value_parser = duration)]
    time: Duration,
}

/// One thing that is soaked, and how it went.
struct Part {
    name: &'static str,
    spent: Duration,
    failed: bool,
}

/// Builds, runs each part, and ends with one line.
pub(crate) fn run_all(workspace: &Workspace, args: &Args) -> Result<()> {
    if !is_root()? {
        bail!("soak kills real containers and needs root: run `sudo -E make soak`");
    }
    build::build(workspace, Profile::Dev)?;
    run(workspace.cargo().args(["build", "--locked", "--release", "--package=sim"]))?;
    run(workspace.cargo().args(["build", "--locked", "--release", "--package=fuzz"]))?;
    let begin = now();
    // The crash matrix takes the time it takes, once at least; the others share what remains.
    let mut parts =
        vec![part("crashes", &mut crashes(workspace)), part("power loss", &mut power(workspace))];
    let half = args.time.saturating_sub(begin.elapsed()) / 2;
    let seconds = format!("{}s", half.as_secs().max(30));
    for (name, program) in [("worlds", "sim"), ("inputs", "fuzz")] {
        let mut command = Command::new(workspace.target.join("release").join(program));
        command.current_dir(&workspace.root).args(["--for", &seconds]);
        parts.push(part(name, &mut command));
    }
    while begin.elapsed() < args.time {
        parts.push(part("crashes", &mut crashes(workspace)));
    }
    let failed: Vec<_> = parts.iter().filter(|part| part.failed).map(|part| part.name).collect();
    let spent: Vec<_> =
        parts.iter().map(|part| format!("{} {}s", part.name, part.spent.as_secs())).collect();
    let outcome = if failed.is_empty() {
        "nothing found".to_owned()
    } else {
        format!("FAILED: {}", failed.join(", "))
    };
    say(&format!("soak: {}s ({}): {outcome}", begin.elapsed().as_secs(), spent.join(", ")));
    if failed.is_empty() { Ok(()) } else { bail!("soak found something: see above") }
}

fn part(name: &'static str, command: &mut Command) -> Part {
    say(&format!("==> soak: {name}"));
    let begin = now();
    let failed = run(command).inspect_err(|error| say(&format!("{error:#}"))).is_err();
    Part { name, spent: begin.elapsed(), failed }
}

/// Every place of the crash matrix, at several hits.
fn crashes(workspace: &Workspace) -> Command {
    let mut cargo = tests(workspace, "e2e");
    cargo.args(["--test", "crash_matrix"]).env("CRASH_MATRIX", "full");
    cargo
}

/// The store on disks that lose power.
fn power(workspace: &Workspace) -> Command {
    let mut cargo = tests(workspace, "store-redb");
    cargo.args(["power_loss"]).env("POWER_LOSS_SEEDS", "20");
    cargo
}

/// `cargo test` of a package, without the runner's limit on a test's time.
fn tests(workspace: &Workspace, package: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--package", package]);
    cargo
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

#[expect(clippy::disallowed_methods, reason = "a given time is real time")]
fn now() -> Instant {
    Instant::now()
}
