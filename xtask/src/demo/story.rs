//! What the demo shows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::Stage;
use crate::workspace::say;

const DIRECTORY: &str = "examples/quotes";
/// For whom the update takes longer, the machine is at fault.
const TRAFFIC_SECONDS: &str = "120";

/// Looks at the tasks' health, each as long as the AWS CLI takes, about half a second.
const HEALTH_LOOKS: u32 = 60;

/// From an empty cluster to a service that was updated under traffic.
pub(crate) fn tell(stage: &mut Stage) -> Result<()> {
    stage.title("A cluster, two task definitions, a service of two tasks");
    stage.aws(&[
        "ecs",
        "create-cluster",
        "--query",
        "cluster.[clusterArn,status]",
        "--output",
        "text",
    ])?;
    register(stage, &format!("file://{DIRECTORY}/service-task.json"))?;
    register(stage, &format!("file://{DIRECTORY}/batch-task.json"))?;
    let service = format!("file://{DIRECTORY}/create-service.json");
    stage.aws(&[
        "ecs",
        "create-service",
        "--cli-input-json",
        &service,
        "--query",
        "service.[serviceArn,status,desiredCount]",
        "--output",
        "text",
    ])?;
    stage.aws(&["ecs", "wait", "services-stable", "--services", "quotes"])?;
    tasks(stage)?;

    stage.title("A quote over HTTP, from a published port");
    fetch(stage)?;

    stage.title("A batch job, from the same image");
    batch(stage)?;

    stage.title("What the containers wrote");
    // What `aws logs tail` of the CLI's version 2 calls as well.
    for group in ["/ecs/quotes-batch", "/ecs/quotes"] {
        stage.aws(&[
            "logs",
            "filter-log-events",
            "--log-group-name",
            group,
            "--max-items",
            "7",
            "--query",
            "events[].[message]",
            "--output",
            "text",
        ])?;
    }

    stage.title("A new revision, under traffic");
    roll(stage)?;

    stage.title("What runs, and why anything does not");
    let state_dir = stage.state_dir().display().to_string();
    stage.portcullis(&["status", "--state-dir", &state_dir])
}

/// Says what to try, and waits.
pub(crate) fn wait_for_the_end(stage: &Stage) {
    let directory = stage.state_dir().display().to_string();
    stage.title("It goes on running. In another terminal, as root:");
    for line in [
        &format!("set -a; . {directory}/client.env; set +a"),
        "export PATH=$PWD/target/clients/bin:$PATH",
        "aws ecs describe-services --services quotes --query 'services[0].events[:5].message'",
        "aws ecs update-service --service quotes --desired-count 3",
        "aws ecs stop-task --reason curious --task $(aws ecs list-tasks --query 'taskArns[0]' --output text)",
        "aws logs filter-log-events --log-group-name /ecs/quotes --filter-pattern '{ $.status = 200 }' --max-items 3",
        &format!("target/portcullis/portcullis status --state-dir {directory}"),
    ] {
        say(&format!("  {line}"));
    }
    say("\nCtrl-C stops the tasks and removes everything.");
    stage.wait_for_interrupt();
}

fn register(stage: &Stage, input: &str) -> Result<String> {
    stage.aws(&[
        "ecs",
        "register-task-definition",
        "--cli-input-json",
        input,
        "--query",
        "taskDefinition.taskDefinitionArn",
        "--output",
        "text",
    ])
}

/// The service's tasks as a table, once all are healthy: the waiter looks at their number only.
fn tasks(stage: &Stage) -> Result<()> {
    let arns = stage.ask(&[
        "ecs",
        "list-tasks",
        "--service-name",
        "quotes",
        "--query",
        "taskArns",
        "--output",
        "text",
    ])?;
    let describe = |query: &'static str, output: &'static str| {
        let mut arguments = vec!["ecs", "describe-tasks", "--tasks"];
        arguments.extend(arns.split_whitespace());
        arguments.extend(["--query", query, "--output", output]);
        arguments
    };
    let unhealthy = describe("length(tasks[?healthStatus != `HEALTHY`])", "text");
    let mut looks = HEALTH_LOOKS;
    while stage.ask(&unhealthy)? != "0" {
        ensure!(looks > 0, "the tasks do not become healthy");
        looks -= 1;
    }
    let columns = "tasks[].{definition: taskDefinitionArn, status: lastStatus, health: healthStatus, \
                   port: containers[0].networkBindings[0].hostPort}";
    stage.aws(&describe(columns, "table")).map(drop)
}

fn fetch(stage: &Stage) -> Result<()> {
    let arn = stage.ask(&[
        "ecs",
        "list-tasks",
        "--service-name",
        "quotes",
        "--query",
        "taskArns[0]",
        "--output",
        "text",
    ])?;
    let port = stage.ask(&[
        "ecs",
        "describe-tasks",
        "--tasks",
        &arn,
        "--query",
        "tasks[0].containers[0].networkBindings[0].hostPort",
        "--output",
        "text",
    ])?;
    say(&format!("$ curl http://127.0.0.1:{port}/quote/SNOW"));
    let port = port.parse().with_context(|| format!("`{port}` is not a port"))?;
    let answer = e2e::World::get(port, "/quote/SNOW").map_err(anyhow::Error::msg)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "the service answered: {head}");
    say(body.trim_end());
    Ok(())
}

fn batch(stage: &Stage) -> Result<()> {
    let task = stage.aws(&[
        "ecs",
        "run-task",
        "--task-definition",
        "quotes-batch",
        "--query",
        "tasks[0].taskArn",
        "--output",
        "text",
    ])?;
    stage.aws(&["ecs", "wait", "tasks-stopped", "--tasks", &task])?;
    let exit = stage.aws(&[
        "ecs",
        "describe-tasks",
        "--tasks",
        &task,
        "--query",
        "tasks[0].[stoppedReason,containers[0].exitCode]",
        "--output",
        "text",
    ])?;
    ensure!(exit.ends_with("\t0"), "the batch job did not end well: {exit}");
    Ok(())
}

/// Deploys other prices while a client asks without pause; no request may fail.
fn roll(stage: &Stage) -> Result<()> {
    let definition = with_revision(&stage.root().join(DIRECTORY).join("service-task.json"), "2")?;
    let input = stage.write("service-task-2.json", &definition)?;
    register(stage, &input)?;
    let traffic = format!("{DIRECTORY}/traffic.py");
    let client =
        stage.start_python(&[&traffic, "--until-revision", "2", "--seconds", TRAFFIC_SECONDS])?;
    stage.aws(&[
        "ecs",
        "update-service",
        "--service",
        "quotes",
        "--task-definition",
        "quotes",
        "--query",
        "service.deployments[].[status,taskDefinition,rolloutState]",
        "--output",
        "text",
    ])?;
    let stable = stage.aws(&["ecs", "wait", "services-stable", "--services", "quotes"]);
    let output = client.wait_with_output()?;
    stable?;
    let text = String::from_utf8_lossy(&output.stdout);
    say(text.trim_end());
    let report: Value = serde_json::from_str(&text).context("the client reported nothing")?;
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (succeeded, failed) = (count("succeeded"), count("failed"));
    ensure!(failed == 0, "{failed} requests failed during the update: {report}");
    ensure!(succeeded > 0, "no request was made: {report}");
    say(&format!("{succeeded} requests during the update, none failed"));
    fetch(stage)
}

/// The task definition with other prices.
fn with_revision(path: &Path, revision: &str) -> Result<String> {
    let text = fs::read_to_string(path)?;
    let mut definition: Value = serde_json::from_str(&text)?;
    let value = definition.pointer_mut("/containerDefinitions/0/environment/0/value");
    *value.context("the definition names no PRICE_REVISION")? = Value::from(revision);
    Ok(serde_json::to_string_pretty(&definition)?)
}
