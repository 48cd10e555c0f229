//! One task after the other, and what each takes while it runs.

use anyhow::{Context, Result, ensure};

use crate::report::{Goal, Row};
use crate::world::{BOUND, Client, World, time_ms};
use crate::{Setting, clock, process, runc};

/// What tasks do here: nothing, for long.
pub(crate) const SLEEP: [&str; 2] = ["sleep", "86400"];

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let world = World::start(setting)?;
    let mut client = world.client()?;
    client.register("sleep", &SLEEP)?;
    let count = setting.amount(50, 10);
    let mut accepted_to_running = Vec::new();
    let mut seen = Vec::new();
    // The first one pays for what is made once.
    one(&mut client)?;
    let before = memory(&world)?;
    for _ in 0..count {
        let (server_ms, client_ms) = one(&mut client)?;
        accepted_to_running.push(server_ms);
        seen.push(client_ms);
    }
    let tasks = f64::from(u32::try_from(count)?);
    let after = memory(&world)?;
    ensure!(after.count == before.count + count, "{} shims, not one each", after.count);
    world.finish();
    let mut peer = runc::run(&setting.directory, count)?;
    let method = format!(
        "{count} tasks, one after the other, all kept running; `startedAt` − `createdAt`. The peer \
         is of another scope: `runc run` of a program that ends at once, the end and the clean-up \
         included, but without network, writable layer, image store and record."
    );
    Ok(vec![
        Row::new(
            "RunTask accepted → running, median",
            nth(&mut accepted_to_running, 50)?,
            "ms",
            Goal::AtMost(40.0),
        )
        .peer("runc run, to its exit", peer.as_mut().map(|times| nth(times, 50)).transpose()?)
        .quoted("docker run --rm", 304.0)
        .method(method),
        Row::new(
            format!("RunTask accepted → running, slowest of {count}"),
            nth(&mut accepted_to_running, 100)?,
            "ms",
            Goal::None(false),
        )
        .peer("runc run, to its exit", peer.as_mut().map(|times| nth(times, 100)).transpose()?),
        Row::new(
            "RunTask sent → seen RUNNING, median",
            nth(&mut seen, 50)?,
            "ms",
            Goal::None(false),
        )
        .method("As a client sees it that asks DescribeTasks again after every answer."),
        Row::new(
            "Memory per running task",
            (after.all - before.all) / tasks,
            "MiB",
            Goal::AtMost(3.0),
        )
        .quoted("containerd-shim alone", 2.5)
        .method(format!(
            "Pss of all shims and of `portcullis up`: its growth over {count} sleeping tasks, \
                 divided by them; the workload's own is not in it."
        )),
        Row::new(
            "of which the shim",
            (after.shims - before.shims) / tasks,
            "MiB",
            Goal::None(false),
        ),
    ])
}

/// Milliseconds from accepted to running, by the server's and by the client's clock.
fn one(client: &mut Client) -> Result<(f64, f64)> {
    let begin = clock::now();
    let arns = client.run("sleep", 1)?;
    let tasks = client.wait_tasks(&arns, "RUNNING")?;
    let seen = clock::ms_since(begin);
    let task = tasks.first().context("no task")?;
    Ok((time_ms(task, "startedAt")? - time_ms(task, "createdAt")?, seen))
}

/// Proportional memory in MiB.
struct Used {
    all: f64,
    shims: f64,
    /// How many shims there are.
    count: usize,
}

fn memory(world: &World) -> Result<Used> {
    // A shim that has just started its container gives memory back; until it has, it is not at rest.
    let mut last = f64::MAX;
    let count = clock::wait("shims at rest", BOUND, || {
        e2e::pause(std::time::Duration::from_millis(500));
        let mut shims = 0.0;
        let pids = process::running(&world.shim())?;
        for pid in &pids {
            shims += process::memory(*pid)?.pss;
        }
        let rest = (shims - last).abs() < 0.1;
        last = shims;
        Ok(rest.then_some(pids.len()))
    })?;
    Ok(Used { all: last + process::memory(world.pid()?)?.pss, shims: last, count })
}

/// A percentile.
pub(crate) fn nth(values: &mut [f64], percent: usize) -> Result<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().context("nothing was measured")
}
