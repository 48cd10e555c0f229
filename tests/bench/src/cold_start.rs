//! From a crash to serving.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::describe::filled;
use crate::report::{Goal, Row};
use crate::start::{SLEEP, nth};
use crate::world::World;
use crate::{Setting, burst, clock};

/// Tasks that are over.
const STOPPED: u32 = 10_000;
/// For what follows a start, so that each crash is one of a program at rest.
const SETTLE: Duration = Duration::from_secs(1);

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let (mut world, _ids) = filled(World::start(setting)?, STOPPED)?;
    let mut client = world.client()?;
    client.register("sleep", &SLEEP)?;
    let (arns, seconds) = burst::run(&world, &mut client)?;
    drop(client);
    let mut times = Vec::new();
    for _ in 0..setting.amount(5, 2) {
        e2e::pause(SETTLE);
        world.kill();
        let begin = clock::now();
        world.start_again();
        let mut client = world.client()?;
        let output = client.ecs("DescribeTasks", &json!({"tasks": arns}))?;
        times.push(clock::ms_since(begin));
        let tasks = output.get("tasks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let running = tasks
            .iter()
            .filter(|task| task.get("lastStatus").and_then(Value::as_str) == Some("RUNNING"));
        ensure!(running.count() == arns.len(), "not all run after a crash: {output}");
    }
    world.finish();
    Ok(vec![
        Row::new(
            "Crash with 10,000 stopped and 100 running tasks → serving",
            nth(&mut times, 50)?,
            "ms",
            Goal::AtMost(1000.0),
        )
        .method(
            "kill -9, then from the start of `portcullis up` to the answer to DescribeTasks of \
                 the 100, all RUNNING; median of 5; files are still in memory.",
        ),
        Row::new(
            "100 tasks at once, beside 10,000 stopped",
            100.0 / seconds,
            "1/s",
            Goal::None(true),
        ),
    ])
}
