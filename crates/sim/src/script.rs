//! Scripts: a cluster, what operators do, what goes wrong, and what is to be seen, line by line.
//!
//! Lines are those of [`crate::command`] and:
//!
//! - `wait 30s`: so much time passes;
//! - `until stable` (`limit=30m`): time passes until every service is steady or has given up and no task is
//!   on its way;
//! - `show service NAME`, `show events NAME`, `show deployments NAME`, `show tasks` (`all`, `verbose`),
//!   `show nodes`;
//! - `burst 3 : run web`: the same call several times at once; a comment is a line that begins with `#`.
//!
//! The world is calm: everything takes its usual time and comes in its usual order.

use std::fmt::Write as _;

use domain::{DesiredStatus, RolloutState, ServiceStatus, TaskStatus};
use serde_json::Value;

use crate::behaviour::milliseconds;
use crate::command::{Done, Request};
use crate::env::{Env, clock_text};
use crate::executor::lock;
use crate::line::Line;
use crate::mutation::Mutation;
use crate::world::{Answer, World};

/// The longest that `until stable` waits unless told.
const STABLE_LIMIT_MS: i64 = 30 * 60_000;
/// How often it looks.
const LOOK_MS: i64 = 1_000;

/// Runs a script; its output. What does not hold, or cannot be done, is part of it.
///
/// # Errors
///
/// When the machine gives no async runtime.
pub fn run(script: &str) -> anyhow::Result<String> {
    let mut world = World::new(Env::new(1, true, Mutation::NONE, true))?;
    let mut out = String::new();
    for text in script.lines() {
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            let _infallible = writeln!(out, "{text}");
            continue;
        }
        let clock = clock_text(world.env.elapsed_ms());
        let _infallible = writeln!(out, "[{clock}] > {text}");
        world.env.tell(&format!("» {text}"));
        match line(&mut world, &Line::parse(text)) {
            Ok(said) => out.push_str(&said),
            Err(error) => {
                let _infallible = writeln!(out, "  cannot: {error}");
            }
        }
        if !world.sound() {
            break;
        }
    }
    for violation in world.violations() {
        let _infallible = writeln!(out, "BROKEN {violation}");
    }
    if let Some(stuck) = &world.stuck {
        let _infallible = writeln!(out, "STUCK {stuck}");
    }
    Ok(out)
}

fn line(world: &mut World, line: &Line) -> Result<String, String> {
    match line.verb.as_str() {
        "wait" => {
            let text = line.word(0)?;
            world.run_ms(milliseconds(text).ok_or_else(|| format!("`{text}` is no duration"))?);
            Ok(String::new())
        }
        "until" => until_stable(world, line),
        "show" => show(world, line),
        "burst" => burst(world, line),
        _ => match world.execute(line)? {
            Done::Fault => Ok(String::new()),
            Done::Calls(calls) => {
                let answers = calls.into_iter().map(|call| perform(world, call));
                Ok(answers.collect())
            }
        },
    }
}

fn show(world: &mut World, line: &Line) -> Result<String, String> {
    Ok(match line.word(0)? {
        "service" => world.show_service(line.word(1)?),
        "events" => world.show_events(line.word(1)?),
        "deployments" => world.show_deployments(line.word(1)?),
        "tasks" => world.show_tasks(line.has("all"), line.has("verbose")),
        "nodes" => world.show_nodes(),
        other => return Err(format!("`{other}` cannot be shown")),
    })
}

/// `burst 3 : run web`: the same call several times, at the same moment.
fn burst(world: &mut World, line: &Line) -> Result<String, String> {
    let times = line.word(0)?.parse::<usize>().map_err(|error| error.to_string())?;
    let rest = Line::parse(line.rest.as_deref().ok_or("burst needs ` : ` and a command")?);
    let mut calls = Vec::new();
    for _ in 0..times {
        if let Done::Calls(requests) = world.execute(&rest)? {
            for (operation, body) in requests {
                calls.push((operation, world.call(operation, body.to_string(), false)));
            }
        }
    }
    world.run_ms(5_000);
    let answers = calls.into_iter().map(|(operation, call)| match world.take_answer(call) {
        Some(answer) => answered(world, operation, &answer),
        None => format!("  {operation}: no answer\n"),
    });
    Ok(answers.collect())
}

fn perform(world: &mut World, (operation, body): Request) -> String {
    let answer = world.call_and_wait(operation, body.to_string());
    answered(world, operation, &answer)
}

fn answered(world: &World, operation: &str, answer: &Answer) -> String {
    let text = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str);
    let mut out = match answer.status {
        0 => format!("  {operation}: the control plane is not there\n"),
        200 => String::new(),
        status => {
            let code = text("/__type").unwrap_or("-");
            let code = code.rsplit('#').next().unwrap_or_default();
            let message = text("/message").or_else(|| text("/Message")).unwrap_or("-");
            format!("  {operation}: {status} {code}: {message}\n")
        }
    };
    let names = lock(&world.env.names);
    let tasks = answer.body.pointer("/tasks").and_then(Value::as_array);
    for task in tasks.into_iter().flatten() {
        let last = |name: &str| {
            let arn = task.pointer(name).and_then(Value::as_str).unwrap_or_default();
            arn.rsplit('/').next().unwrap_or_default()
        };
        let (task, instance) = (last("/taskArn"), last("/containerInstanceArn"));
        let _infallible = writeln!(out, "  {} on {}", names.of(task), names.of(instance));
    }
    for failure in answer.body.pointer("/failures").and_then(Value::as_array).into_iter().flatten()
    {
        let part = |name: &str| failure.pointer(name).and_then(Value::as_str).unwrap_or("-");
        let arn = part("/arn").rsplit('/').next().unwrap_or_default();
        let (reason, detail) = (part("/reason"), part("/detail"));
        let _infallible = writeln!(out, "  failure: {} {reason}: {detail}", names.of(arn));
    }
    names.shorten(&out)
}

fn until_stable(world: &mut World, line: &Line) -> Result<String, String> {
    let begin = world.env.now();
    let end = begin.plus_ms(line.duration_ms("limit", STABLE_LIMIT_MS)?);
    // What was just asked for needs a moment to be seen.
    world.run_ms(LOOK_MS);
    while world.env.now() < end && world.sound() {
        if is_stable(world) {
            let after = clock_text(world.env.now().ms_since(begin));
            return Ok(format!("  stable after {after}\n"));
        }
        world.run_ms(LOOK_MS);
    }
    let after = clock_text(world.env.now().ms_since(begin));
    Ok(format!("  not stable after {after}\n"))
}

fn is_stable(world: &World) -> bool {
    let monitor = lock(&world.env.monitor);
    let services = monitor.services().values().all(|service| match service.status {
        ServiceStatus::Active => {
            let failed = service
                .primary()
                .is_some_and(|deployment| deployment.rollout_state == RolloutState::Failed);
            service.steady || failed
        }
        ServiceStatus::Draining => false,
        ServiceStatus::Inactive => true,
    });
    let tasks = monitor.tasks().values().all(|task| {
        let resting = match task.desired_status {
            DesiredStatus::Running => TaskStatus::Running,
            DesiredStatus::Stopped => TaskStatus::Stopped,
        };
        task.last_status == resting
    });
    services && tasks
}
