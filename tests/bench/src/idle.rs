//! What `portcullis up` takes while it has nothing to do.

use std::time::Duration;

use anyhow::Result;

use crate::report::{Goal, Row};
use crate::world::World;
use crate::{Setting, clock, process};

/// For what follows a start.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let mut world = World::start(setting)?;
    // As after a start of the machine: importing an image leaves nothing behind in memory.
    world.terminate();
    world.start_again();
    let pid = world.pid()?;
    e2e::pause(SETTLE);
    let (begin, cpu) = (clock::now(), process::cpu(pid)?);
    e2e::pause(setting.amount(Duration::from_secs(20), Duration::from_secs(5)));
    let taken = process::cpu(pid)?.saturating_sub(cpu);
    let percent = taken.as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0;
    let memory = process::memory(pid)?;
    world.finish();
    Ok(vec![
        Row::new("Idle: resident memory", memory.rss, "MiB", Goal::AtMost(40.0))
            .quoted("dockerd and containerd", 118.0)
            .method("Rss of `portcullis up` without tasks, 23 s after its start."),
        Row::new("Idle: proportional memory", memory.pss, "MiB", Goal::None(false))
            .method("Pss of the same."),
        Row::new("Idle: processor", percent, "% of one core", Goal::AtMost(0.5))
            .method("Processor time of all its threads over 20 s, counted in hundredths of a second: 0 is below 0.05."),
    ])
}
