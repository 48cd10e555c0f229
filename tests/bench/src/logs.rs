//! One container that writes as fast as it can.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::LOGS;
use crate::report::{Goal, Row};
use crate::world::{Client, IMAGE, LINE_BYTES, LINES, World, array, line, task_id, text, time_ms};
use crate::{Setting, clock};

const GROUP: &str = "/bench/flood";
/// How long the whole flood may take.
const FLOOD_BOUND: Duration = Duration::from_secs(120);
/// Between two looks at the log, which cost the measured program time.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let world = World::start(setting)?;
    let mut client = world.client()?;
    let times = setting.amount(300, 50);
    let mut command = vec!["cat"];
    command.extend(std::iter::repeat_n("/lines", times));
    command.push("/end");
    client.ecs(
        "RegisterTaskDefinition",
        &json!({"family": "flood", "containerDefinitions": [{
            "name": "main", "image": IMAGE, "command": command, "memory": 64,
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": GROUP, "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "bench", "awslogs-create-group": "true",
            }},
        }]}),
    )?;
    let arns = client.run("flood", 1)?;
    let arn = arns.first().context("no task")?;
    let stream = format!("bench/main/{}", task_id(arn));
    clock::wait("the last line in the log", FLOOD_BOUND, || {
        e2e::pause(LOOK);
        let last = json!({"logGroupName": GROUP, "logStreamName": stream, "limit": 1});
        // There is no group before the first line.
        let Ok(mut output) = client.call(LOGS, "GetLogEvents", &last) else { return Ok(None) };
        let events = array(&mut output, "events");
        Ok(events
            .first()
            .is_some_and(|event| text(event, "message").ok() == Some("end"))
            .then_some(()))
    })?;
    let end = clock::epoch_ms();
    let tasks = client.ecs("DescribeTasks", &json!({"tasks": arns}))?;
    let task = tasks.get("tasks").and_then(|tasks| tasks.get(0)).context("no task")?;
    let seconds = (end - time_ms(task, "startedAt")?) / 1000.0;
    let begin = clock::now();
    let lines = count(&mut client, &stream)?;
    let read_s = begin.elapsed().as_secs_f64();
    ensure!(lines == LINES * times, "{lines} lines of {} are in the log", LINES * times);
    world.finish();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let lines = lines as f64;
    let method = format!(
        "`cat` of {lines} lines of {LINE_BYTES} bytes; `startedAt` → the last line answered by \
         GetLogEvents; written, not synced. Then every line is read back and compared: none lost, none twice, in order."
    );
    Ok(vec![
        Row::new(
            "Log capture of one container",
            lines / seconds,
            "lines/s",
            Goal::AtLeast(300_000.0),
        )
        .quoted("docker json-file", 250_000.0)
        .quoted("rsyslog over TCP", 600_000.0)
        .method(method),
        Row::new("Log read back by GetLogEvents", lines / read_s, "lines/s", Goal::None(true))
            .method("The comparison above: one client, page by page, JSON parsed and compared."),
    ])
}

/// Reads the stream from its beginning; how many lines came before `end`, each the expected one.
fn count(client: &mut Client, stream: &str) -> Result<usize> {
    let expected: Vec<String> = (0..LINES).map(line).collect();
    let mut input = json!({"logGroupName": GROUP, "logStreamName": stream, "startFromHead": true});
    let mut lines = 0;
    loop {
        let mut output = client.call(LOGS, "GetLogEvents", &input)?;
        for event in array(&mut output, "events") {
            let message = text(&event, "message")?;
            if message == "end" {
                return Ok(lines);
            }
            let wanted = expected.get(lines % LINES).map(String::as_str);
            ensure!(wanted == Some(message), "line {lines} is `{message}`");
            lines += 1;
        }
        let token = output.get_mut("nextForwardToken").map(Value::take).context("no token")?;
        ensure!(input.get("nextToken") != Some(&token), "the log ends after {lines} lines");
        input.as_object_mut().context("input")?.insert("nextToken".to_owned(), token);
    }
}
