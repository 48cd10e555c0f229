//! What processes take: time and memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// Memory of a process, in MiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss: f64,
    /// Proportional: what is shared with others is divided among them.
    pub(crate) pss: f64,
}

/// The processor time that a process has taken, user and system, to a hundredth of a second.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The program's name, in parentheses, may hold anything; `utime` and `stime` are the 12th and
    // 13th field after it.
    let fields = text.rsplit_once(") ").map(|(_, fields)| fields.split(' ').skip(11).take(2));
    let ticks = fields.context("no fields")?.map(str::parse::<u64>);
    let ticks = ticks.collect::<Result<Vec<_>, _>>().with_context(|| path.clone())?;
    anyhow::ensure!(ticks.len() == 2, "{path} is too short");
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
    let ticks = u32::try_from(ticks.iter().sum::<u64>())?;
    Ok(Duration::from_secs_f64(f64::from(ticks) / f64::from(per_second)))
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).context("smaps_rollup")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    };
    Ok(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
}

/// The processes that run a program.
pub(crate) fn running(program: &Path) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        // A process may end meanwhile.
        let runs = fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program);
        found.extend(pid.filter(|_| runs));
    }
    Ok(found)
}
