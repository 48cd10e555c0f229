//! The table that a person reads, and the file that is committed.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};

/// The load of a machine that does nothing else.
const QUIET: f64 = 0.5;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Told for information; `true` when more is better.
    None(bool),
}

/// The same on another program.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// In the row's unit.
    pub(crate) figure: f64,
    /// Measured on another day, not in this run.
    pub(crate) quoted: bool,
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    figure: f64,
    goal: Goal,
    peers: Vec<Peer>,
    method: String,
}

impl Row {
    pub(crate) fn new(
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        goal: Goal,
    ) -> Self {
        let (what, method) = (what.into(), String::new());
        Self { what, unit, figure, goal, peers: Vec::new(), method }
    }

    /// Adds a peer that was measured in this run.
    pub(crate) fn peer(mut self, name: &'static str, figure: Option<f64>) -> Self {
        self.peers.extend(figure.map(|figure| Peer { name, figure, quoted: false }));
        self
    }

    /// Adds a peer's figure from another day.
    pub(crate) fn quoted(mut self, name: &'static str, figure: f64) -> Self {
        self.peers.push(Peer { name, figure, quoted: true });
        self
    }

    /// Says how it was measured, in one line.
    pub(crate) fn method(mut self, method: impl Into<String>) -> Self {
        self.method = method.into();
        self
    }

    fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(goal) => Some(self.figure <= goal),
            Goal::AtLeast(goal) => Some(self.figure >= goal),
            Goal::None(_) => None,
        }
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtMost(goal) => format!("≤ {}", number(goal)),
            Goal::AtLeast(goal) => format!("≥ {}", number(goal)),
            Goal::None(_) => String::new(),
        }
    }

    /// How many times better than the peer.
    fn ratio(&self, peer: &Peer) -> f64 {
        match self.goal {
            Goal::AtLeast(_) | Goal::None(true) => self.figure / peer.figure,
            Goal::AtMost(_) | Goal::None(false) => peer.figure / self.figure,
        }
    }

    /// The row's cells: what, goal, ours, met, peers, ratios.
    fn cells(&self) -> [String; 6] {
        let each = |text: &dyn Fn(&Peer) -> String| {
            self.peers.iter().map(text).collect::<Vec<_>>().join("<br>")
        };
        [
            format!("{} ({})", self.what, self.unit),
            self.goal(),
            number(self.figure),
            self.met().map_or("", |met| if met { "yes" } else { "**no**" }).to_owned(),
            each(&|peer| {
                let quoted = if peer.quoted { ", quoted" } else { "" };
                format!("{} ({}{quoted})", number(peer.figure), peer.name)
            }),
            each(&|peer| format!("{} ×", number(self.ratio(peer)))),
        ]
    }
}

/// All figures of a run.
#[derive(Debug)]
pub(crate) struct Report {
    date: String,
    /// Programs that wanted to run when this began.
    load: f64,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    pub(crate) fn new(date: String) -> Result<Self> {
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default().parse()?;
        Ok(Self { date, load, rows: Vec::new(), failures: Vec::new() })
    }

    /// Prints rows and keeps them.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        for row in &rows {
            let [what, goal, ours, met, peers, ratios] = row.cells();
            let met = if met.contains("no") { "MISSED" } else { met.as_str() };
            let peers = peers.replace("<br>", ", ");
            say(&format!("{what:58} {ours:>9}  {goal:>9} {met:6}  {peers}  {ratios}"));
            if !row.method.is_empty() {
                say(&format!("    {}", row.method));
            }
        }
        self.rows.extend(rows);
    }

    /// Prints and keeps that a measurement failed.
    pub(crate) fn fail(&mut self, failure: String) {
        say(&format!("FAILED {failure}"));
        self.failures.push(failure);
    }

    /// Whether everything that was to be measured was.
    pub(crate) const fn complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// Writes the file that is committed.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()?).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> Result<String> {
        let mut text = format!(
            "# Speed and size\n\n\
             Written by `make bench` on {}, on {}. Peers marked *quoted* were measured on another \
             day on a machine of the same kind; all others in this run, one after the other. A \
             ratio says how many times better Portcullis is: above 1 is better.\n\n\
             | what | goal | ours | met | peer | ratio |\n|---|---|---|---|---|---|\n",
            self.date,
            machine()?
        );
        if self.load > QUIET {
            let provisional = format!(
                "**Provisional**: the machine was busy with other work (load {:.1} at the start).\n\n| what",
                self.load
            );
            text = text.replacen("| what", &provisional, 1);
        }
        for row in &self.rows {
            writeln!(text, "| {} |", row.cells().join(" | "))?;
        }
        for failure in &self.failures {
            writeln!(text, "\nNot measured: {failure}")?;
        }
        text += "\n## Methods\n\n";
        for row in self.rows.iter().filter(|row| !row.method.is_empty()) {
            writeln!(text, "- **{}**: {}", row.what, row.method)?;
        }
        Ok(text)
    }
}

/// What this machine is.
fn machine() -> Result<String> {
    let file = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let find = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_matches([' ', '\t', ':', '"', '=']).to_owned())
            .unwrap_or_else(|| "?".to_owned())
    };
    let cores = std::thread::available_parallelism()?;
    let memory = find(&file("/proc/meminfo")?, "MemTotal");
    let mib: u64 = memory.trim_end_matches(" kB").parse::<u64>()? / 1024;
    Ok(format!(
        "{cores} cores ({}), {mib} MiB of memory, {}, Linux {}",
        find(&file("/proc/cpuinfo")?, "model name"),
        find(&file("/etc/os-release")?, "PRETTY_NAME"),
        file("/proc/sys/kernel/osrelease")?.trim()
    ))
}

/// Three significant digits are as much as a measurement has.
fn number(value: f64) -> String {
    if value >= 1000.0 {
        let digits = format!("{:.0}", value);
        let groups = digits.as_bytes().rchunks(3).rev();
        return groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",");
    }
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some((whole, digits)) if digits.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        _ => text,
    }
}

/// Prints one line on standard output. A reader that is gone is no reason to stop.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.123, "0.12"),
            (4.0, "4"),
            (40.0, "40"),
            (12.34, "12.3"),
            (304.4, "304"),
            (15_000.0, "15,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn better_is_above_one() {
        let row = |goal| Row::new("x", 10.0, "ms", goal).quoted("peer", 20.0);
        for (goal, ratio, met) in [
            (Goal::AtMost(10.0), "2 ×", "yes"),
            (Goal::AtLeast(11.0), "0.50 ×", "**no**"),
            (Goal::None(true), "0.50 ×", ""),
        ] {
            let [_, _, _, actual_met, _, actual_ratio] = row(goal).cells();
            assert_eq!((actual_ratio.as_str(), actual_met.as_str()), (ratio, met));
        }
    }
}
