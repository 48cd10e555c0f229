//! Tasks that act with a role: with an unmodified SDK, as nobody else, and nobody else as them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows a test by its attribute, and these are their helpers"
)]

use e2e::{CommandOutput, World, eventually, shell};
use serde_json::{Value, json};
use std::time::Duration;

const ACCOUNT: &str = "123456789012";

/// Calls an operation that must succeed.
fn call(world: &mut World, service: &str, operation: &str, input: &Value) -> Value {
    let answer = world.client().call(service, operation, input);
    answer.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A role that `service` may assume, with one statement; its ARN.
fn role(world: &mut World, name: &str, service: &str, statement: &Value) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole",
    }]});
    let made = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    let output = call(world, "iam", "create_role", &made);
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let put = json!({"RoleName": name, "PolicyName": "all", "PolicyDocument": policy});
    call(world, "iam", "put_role_policy", &put);
    output["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// A role that may list the tasks of the cluster `default`.
fn lister(world: &mut World, name: &str) -> String {
    let clusters = world.ecs("describe_clusters", &json!({"clusters": ["default"]}));
    let cluster = &clusters["clusters"][0]["clusterArn"];
    let statement = json!({
        "Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*",
        "Condition": {"ArnEquals": {"ecs:cluster": cluster}},
    });
    role(world, name, "ecs-tasks.amazonaws.com", &statement)
}

/// A container that runs a Python program.
fn python(program: &str) -> Value {
    json!({
        "name": "main", "image": "boto3:1", "command": ["python3", "-c", program], "memory": 256,
        "stopTimeout": 2, "readonlyRootFilesystem": true, "user": "1000",
    })
}

fn task(family: &str, role_arn: &str, container: &Value) -> Value {
    json!({"family": family, "taskRoleArn": role_arn, "containerDefinitions": [container]})
}

/// Waits until there are so many events of this name in the audit trail; all of them.
fn wait_events(world: &mut World, name: &str, count: usize) -> Vec<String> {
    let attribute = json!([{"AttributeKey": "EventName", "AttributeValue": name}]);
    eventually(&format!("{count} events {name}"), Duration::from_secs(30), || {
        let output =
            call(world, "cloudtrail", "lookup_events", &json!({"LookupAttributes": attribute}));
        let events = output["Events"].as_array().cloned().unwrap_or_default();
        let events: Vec<String> = events
            .iter()
            .filter_map(|event| event["CloudTrailEvent"].as_str().map(ToOwned::to_owned))
            .collect();
        if events.len() >= count { Ok(events) } else { Err(events.join("\n")) }
    })
}

/// Waits until a detection has been raised.
fn wait_finding(world: &World, rule: &str) {
    eventually(rule, Duration::from_secs(30), || {
        let shown = world.portcullis(&["findings"]);
        if shown.stdout.contains(rule) { Ok(()) } else { Err(format!("{shown:?}")) }
    });
}

/// What the line that begins with `name` says.
fn said<'a>(lines: &'a [String], name: &str) -> &'a str {
    let found = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{name}` in {lines:#?}"))
}

/// Prints what an SDK without any configuration may do, then its credentials, and lives on.
const LIST_AND_TRY: &str = r#"
import json, os, time, boto3, botocore.exceptions
ecs = boto3.client("ecs")
print("listed", len(ecs.list_tasks()["taskArns"]))
print("region", ecs.meta.region_name)
def attempt(name, call):
    try:
        call()
        print(name, "allowed")
    except botocore.exceptions.ClientError as error:
        print(name, error.response["Error"]["Code"])
attempt("other-cluster", lambda: ecs.list_tasks(cluster="other"))
attempt("describe", lambda: ecs.describe_tasks(tasks=["0" * 32]))
attempt("stop", lambda: ecs.stop_task(task="0" * 32))
attempt("run", lambda: ecs.run_task(taskDefinition="lister"))
attempt("clusters", lambda: ecs.list_clusters())
attempt("users", lambda: boto3.client("iam").list_users())
attempt("logs", lambda: boto3.client("logs").describe_log_groups())
attempt("assume", lambda: boto3.client("sts").assume_role(
    RoleArn="arn:aws:iam::123456789012:role/lister", RoleSessionName="other"))
print("identity", boto3.client("sts").get_caller_identity()["Arn"])
frozen = boto3.Session().get_credentials().get_frozen_credentials()
print("stolen", json.dumps([frozen.access_key, frozen.secret_key, frozen.token]))
print("uri", os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
print("token", open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read())
print("end", flush=True)
time.sleep(1000)
"#;

/// Uses credentials of the environment, at the endpoint of the environment.
const USE: &str = r#"
import boto3, botocore.exceptions
try:
    boto3.client("ecs").list_tasks()
    print("used allowed")
except botocore.exceptions.ClientError as error:
    print("used", error.response["Error"]["Code"])
"#;

/// Asks for the credentials at a URI with a token.
const ASK: &str = r#"
import os, urllib.error, urllib.request
request = urllib.request.Request(os.environ["URI"], headers={"Authorization": os.environ["TOKEN"]})
try:
    print("answered", urllib.request.urlopen(request, timeout=5).status)
except urllib.error.HTTPError as error:
    print("answered", error.code)
"#;

#[test]
fn a_container_acts_as_its_task_role_and_nobody_else_does() {
    let mut world = World::new();
    world.import_boto3();
    world.ecs("create_cluster", &json!({"clusterName": "other"}));
    let role_arn = lister(&mut world, "lister");
    let definition = world.register_with(&task("lister", &role_arn, &python(LIST_AND_TRY)));
    let arn = world.run(&definition);
    let lines = world.wait_log("/ecs/lister", "end");
    assert_eq!(said(&lines, "listed"), "1");
    assert_eq!(said(&lines, "region"), "us-east-1");
    for other in ["other-cluster", "describe", "stop", "run", "clusters", "users", "logs", "assume"]
    {
        let code = said(&lines, other);
        assert!(["AccessDenied", "AccessDeniedException"].contains(&code), "{other}: {code}");
    }
    let id = e2e::task_id(&arn);
    let identity = format!("arn:aws:sts::{ACCOUNT}:assumed-role/lister/{id}");
    assert_eq!(said(&lines, "identity"), identity);

    // The same credentials from the host.
    let stolen: Vec<String> = serde_json::from_str(said(&lines, "stolen")).unwrap();
    let output = CommandOutput::of(
        world
            .client_command("python", &["-c", USE])
            .env("AWS_ACCESS_KEY_ID", &stolen[0])
            .env("AWS_SECRET_ACCESS_KEY", &stolen[1])
            .env("AWS_SESSION_TOKEN", &stolen[2]),
    );
    assert_eq!(output.stdout, "used AccessDeniedException\n", "{output:?}");
    // And from another task, where its own role would do.
    let mut thief = python(USE);
    thief["environment"] = json!([
        {"name": "AWS_ACCESS_KEY_ID", "value": stolen[0]},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": stolen[1]},
        {"name": "AWS_SESSION_TOKEN", "value": stolen[2]},
    ]);
    let thief = world.register_with(&task("thief", &role_arn, &thief));
    let thief = world.run(&thief);
    let used = world.wait_log("/ecs/thief", "used");
    assert_eq!(said(&used, "used"), "AccessDeniedException");
    world.wait_stopped(&thief);
    // Its credentials endpoint is its own too, with the right path and the right token.
    let (uri, token) = (said(&lines, "uri"), said(&lines, "token"));
    let mut asker = python(ASK);
    asker["environment"] = json!([
        {"name": "URI", "value": uri}, {"name": "TOKEN", "value": token},
    ]);
    let asker = world.register("asker", &json!([asker]));
    let asker = world.run(&asker);
    let answer = world.wait_log("/ecs/asker", "answered");
    assert_eq!(said(&answer, "answered"), "403");
    world.wait_stopped(&asker);
    // All of it is on record.
    let issued = wait_events(&mut world, "IssueTaskCredentials", 2);
    assert!(
        issued.iter().any(|event| event.contains(id) && event.contains(&role_arn)),
        "{issued:?}"
    );
    assert!(!issued.iter().any(|event| event.contains(&stolen[1])), "a secret is on record");
    let abuses = wait_events(&mut world, "ListTasks", 2);
    let abuses = abuses.iter().filter(|event| event.contains("AccessDenied") && event.contains(id));
    assert!(abuses.count() >= 2, "the thefts are not on record");
    let refused = wait_events(&mut world, "RefuseTaskCredentials", 1);
    assert!(
        refused[0].contains(e2e::task_id(&asker)) && refused[0].contains("another task"),
        "{refused:?}"
    );
    wait_finding(&world, "DET-005");
    wait_finding(&world, "DET-004");

    world.stop(&arn);
    world.wait_stopped(&arn);
    world.finish();
}

/// Says again and again who it is, with credentials fetched anew.
const WHO_AM_I: &str = r#"
import time, boto3
while True:
    try:
        session = boto3.Session()
        print("is", session.client("sts").get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print("was refused", error, flush=True)
    time.sleep(0.5)
"#;

#[test]
fn a_container_goes_on_acting_as_its_role_after_the_agent_was_killed() {
    let mut world = World::new();
    world.import_boto3();
    let role_arn = lister(&mut world, "survivor");
    let definition = world.register_with(&task("survivor", &role_arn, &python(WHO_AM_I)));
    let arn = world.run(&definition);
    world.wait_log("/ecs/survivor", "assumed-role/survivor/");
    world.kill();
    world.start();
    let count = |lines: &[String]| lines.iter().filter(|line| line.starts_with("is ")).count();
    let before = count(&world.log("/ecs/survivor"));
    eventually("it acts again", Duration::from_secs(60), || {
        let lines = world.log("/ecs/survivor");
        if count(&lines) > before + 3 { Ok(()) } else { Err(lines.join("\n")) }
    });
    let findings = world.portcullis(&["findings"]);
    assert!(!findings.stdout.contains("DET-00"), "an honest task was suspected: {findings:?}");
    world.stop(&arn);
    world.wait_stopped(&arn);
    world.finish();
}

/// Fetches any URL it is asked to: what an attacker dreams of.
const FETCHER: &str = r#"
import os, urllib.error, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
class Fetcher(BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        try:
            with urllib.request.urlopen(query["url"][0], timeout=5) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        except OSError as error:
            status, body = 504, str(error).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fetched %d " % status + body)
print("uri", os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
print("metadata", os.environ["ECS_CONTAINER_METADATA_URI_V4"], flush=True)
HTTPServer(("0.0.0.0", 8000), Fetcher).serve_forever()
"#;

#[test]
fn a_server_that_fetches_any_url_gives_no_credentials_away() {
    let mut world = World::new();
    world.import_boto3();
    let role_arn = lister(&mut world, "fetcher");
    let mut container = python(FETCHER);
    container["portMappings"] = json!([{"containerPort": 8000}]);
    let definition = world.register_with(&task("fetcher", &role_arn, &container));
    let arn = world.run(&definition);
    let lines = world.wait_log("/ecs/fetcher", "metadata");
    world.wait_task(&arn, "RUNNING");
    let port = world.host_port(&arn, 8000);
    let fetch = |url: &str| {
        eventually("the server answers", Duration::from_secs(30), || {
            World::get(port, &format!("/?url={url}"))
        })
    };
    let stolen = fetch(said(&lines, "uri"));
    assert!(stolen.contains("fetched 403 "), "{stolen}");
    assert!(!stolen.contains("SecretAccessKey"), "{stolen}");
    // It does reach the endpoint: what is no secret is answered.
    let metadata = fetch(said(&lines, "metadata"));
    assert!(metadata.contains("fetched 200 ") && metadata.contains("ContainerARN"), "{metadata}");
    let host = fetch("http://169.254.169.254/latest/meta-data/");
    assert!(host.contains("fetched 504 "), "the host's metadata service answered: {host}");
    let refused = wait_events(&mut world, "RefuseTaskCredentials", 1);
    assert!(refused[0].contains("no authorization token"), "{refused:?}");
    wait_finding(&world, "DET-004");

    world.stop(&arn);
    world.wait_stopped(&arn);
    world.finish();
}

#[test]
fn a_task_whose_role_cannot_be_assumed_does_not_start() {
    let mut world = World::new();
    let nothing = json!({"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"});
    let distrustful = role(&mut world, "distrustful", "ec2.amazonaws.com", &nothing);
    let trusting = role(&mut world, "trusting", "ecs-tasks.amazonaws.com", &nothing);
    for (family, task_role, execution_role, bad) in [
        ("task-role", &distrustful, &trusting, &distrustful),
        ("execution-role", &trusting, &distrustful, &distrustful),
    ] {
        let definition = world.register_with(&json!({
            "family": family, "taskRoleArn": task_role, "executionRoleArn": execution_role,
            "containerDefinitions": [shell("main", "echo started")],
        }));
        let arn = world.run(&definition);
        let stopped = world.wait_stopped(&arn);
        assert_eq!(stopped["stopCode"], "TaskFailedToStart", "{stopped}");
        let reason = stopped["stoppedReason"].as_str().unwrap();
        let expected = format!("ECS was unable to assume the role '{bad}' that was provided");
        assert!(reason.starts_with(&expected), "{reason}");
        assert!(world.log(&format!("/ecs/{family}")).is_empty());
    }
    let both = json!({
        "family": "both", "taskRoleArn": trusting, "executionRoleArn": trusting,
        "containerDefinitions": [shell("main", "echo started")],
    });
    let definition = world.register_with(&both);
    let arn = world.run(&definition);
    world.wait_stopped(&arn);
    world.wait_log("/ecs/both", "started");
    world.finish();
}

/// Prints what it was told and what it reaches.
const LOOK_AROUND: &str = r#"
import http.client, os
for name, value in sorted(os.environ.items()):
    if name.startswith(("AWS_", "ECS_")):
        print(f"{name}={value}")
print("token-file", os.path.exists("/run/portcullis"))
def get(host, port, path):
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        print(f"{host}:{port}{path}", answer.status, answer.read(400).decode())
    except OSError:
        print(f"{host}:{port}{path}", "closed")
agent = "169.254.170.2"
container = os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "none").rpartition("/")[2]
print("task-metadata", end=" ")
get(agent, 80, f"/v4/{container}/task")
get(agent, 80, "/v2/credentials/x")
for host, port in [("169.254.169.254", 80), ("169.254.170.4", 80), (agent, 443), ("169.254.170.3", 443)]:
    get(host, port, "/")
print("end")
"#;

#[test]
fn a_container_without_a_role_has_metadata_and_no_credentials_in_every_mode() {
    let mut world = World::new();
    world.import_boto3();
    for mode in ["awsvpc", "bridge", "none"] {
        let mut container = python(LOOK_AROUND);
        container["environment"] = json!([{"name": "AWS_REGION", "value": "chosen"}]);
        let definition = world.register_with(
            &json!({"family": mode, "networkMode": mode, "containerDefinitions": [container]}),
        );
        let mut run = json!({"taskDefinition": definition});
        if mode == "awsvpc" {
            run["networkConfiguration"] = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        }
        let output = world.ecs("run_task", &run);
        let arn = output["tasks"][0]["taskArn"].as_str().unwrap_or_else(|| panic!("{output}"));
        world.wait_stopped(arn);
        let lines = world.wait_log(&format!("/ecs/{mode}"), "end");
        let has = |line: &str| lines.iter().any(|known| known.contains(line));
        let linked = mode != "none";
        assert!(has("AWS_EXECUTION_ENV=AWS_ECS_EC2"), "{mode}: {lines:#?}");
        assert!(has("AWS_REGION=chosen"), "the definition's own value: {mode}: {lines:#?}");
        assert!(!has("AWS_CONTAINER_") && has("token-file False"), "{mode}: {lines:#?}");
        assert_eq!(has("AWS_ENDPOINT_URL=http://169.254.170.3"), linked, "{mode}: {lines:#?}");
        assert_eq!(has("\"Cluster\":\"default\""), linked, "{mode}: {lines:#?}");
        let credentials = said(&lines, "169.254.170.2:80/v2/credentials/x");
        assert_eq!(credentials.starts_with("403 "), linked, "{mode}: {credentials}");
        for closed in
            ["169.254.169.254:80/", "169.254.170.4:80/", "169.254.170.2:443/", "169.254.170.3:443/"]
        {
            assert_eq!(said(&lines, closed), "closed", "{mode}: {closed}");
        }
    }
    world.finish();
}
