//! Measures speed and size of the whole program, next to its peers, and writes the report.
//!
//! `cargo xtask bench` builds what is measured and starts this. Every measurement has a `portcullis
//! up` of its own, started fresh, so that each can be run alone. Everything stays on this machine.

mod audit;
mod burst;
mod clock;
mod cold_start;
mod describe;
mod http;
mod idle;
mod load;
mod logs;
mod moto;
mod placement;
mod policy;
mod process;
mod register;
mod report;
mod runc;
mod seed;
mod start;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use report::{Report, Row};

/// What is measured, and how.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Options {
    /// Directory with `portcullis` and `portcullis-shim`, built as they are released
    #[arg(long, value_name = "DIR")]
    programs: PathBuf,
    /// Virtual environment with moto_server; without it there is no such peer
    #[arg(long, value_name = "DIR")]
    moto: Option<PathBuf>,
    /// Directory on the disk that is measured
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    directory: PathBuf,
    /// Measure only this; may be repeated
    #[arg(long, value_name = "MEASUREMENT")]
    only: Vec<Measurement>,
    /// Shorter, for a first look: fewer repetitions, and no report is written
    #[arg(long)]
    quick: bool,
    /// The date to put into the report
    #[arg(long)]
    date: String,
    /// The report to write
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// One measurement, in the order they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    Idle,
    Start,
    Burst,
    Describe,
    Register,
    Placement,
    Policy,
    Audit,
    Logs,
    ColdStart,
}

/// What every measurement is given.
#[derive(Debug)]
struct Setting {
    programs: PathBuf,
    moto: Option<PathBuf>,
    directory: PathBuf,
    quick: bool,
}

impl Setting {
    /// The full amount, or the one of `--quick`.
    fn amount<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

impl Measurement {
    fn run(self, setting: &Setting) -> Result<Vec<Row>> {
        match self {
            Self::Idle => idle::measure(setting),
            Self::Start => start::measure(setting),
            Self::Burst => burst::measure(setting),
            Self::Describe => describe::measure(setting),
            Self::Register => register::measure(setting),
            Self::Placement => Ok(placement::measure(setting)),
            Self::Policy => policy::measure(setting),
            Self::Audit => audit::measure(setting),
            Self::Logs => logs::measure(setting),
            Self::ColdStart => cold_start::measure(setting),
        }
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let setting = Setting {
        programs: std::fs::canonicalize(&options.programs)?,
        moto: options.moto,
        directory: options.directory,
        quick: options.quick,
    };
    let mut report = Report::new(options.date)?;
    for measurement in Measurement::value_variants() {
        if options.only.is_empty() || options.only.contains(measurement) {
            report::say(&format!("==> {measurement:?}"));
            match measurement.run(&setting) {
                Ok(rows) => report.add(rows),
                Err(error) => report.fail(format!("{measurement:?}: {error:#}")),
            }
        }
    }
    if let Some(path) = options.report.filter(|_| options.only.is_empty() && !options.quick) {
        report.write(&path)?;
    }
    Ok(if report.complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
