//! Many tasks at once.

use anyhow::{Context, Result};

use crate::report::{Goal, Row};
use crate::start::SLEEP;
use crate::world::{Client, World, time_ms};
use crate::{Setting, clock};

/// Calls of RunTask at a time.
const CALLS: usize = 10;
/// Tasks of each.
const TASKS_PER_CALL: usize = 10;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let world = World::start(setting)?;
    let mut client = world.client()?;
    client.register("sleep", &SLEEP)?;
    let seconds = run(&world, &mut client)?.1;
    world.finish();
    Ok(vec![
        Row::new(
            "100 tasks at once: started per second",
            100.0 / seconds,
            "1/s",
            Goal::AtLeast(30.0),
        )
        .quoted("docker API", 100.0 / 12.0)
        .method("Ten connections, each RunTask with count 10; first request → last `startedAt`."),
    ])
}

/// Starts 100 tasks; their ARNs, and the seconds from the first request to the last start.
pub(crate) fn run(world: &World, client: &mut Client) -> Result<(Vec<String>, f64)> {
    let clients = (0..CALLS).map(|_| world.client()).collect::<Result<Vec<_>>>()?;
    let begin = clock::epoch_ms();
    let calls: Vec<_> = clients
        .into_iter()
        .map(|mut client| std::thread::spawn(move || client.run("sleep", TASKS_PER_CALL)))
        .collect();
    let mut arns = Vec::new();
    for call in calls {
        arns.extend(call.join().ok().context("a thread panicked")??);
    }
    let mut last = begin;
    for task in client.wait_tasks(&arns, "RUNNING")? {
        last = f64::max(last, time_ms(&task, "startedAt")?);
    }
    Ok((arns, (last - begin) / 1000.0))
}
