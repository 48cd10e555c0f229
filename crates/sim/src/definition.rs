//! Task definitions in one line: `task web cpu=256 memory=512 : main(port=80) log(after=main/START)`.
//!
//! Words of a container: `nonessential`, `after=NAME/CONDITION`, `health` or `health=GRACE` (a check every
//! 5 s, two failures), `restart=60`, `stoptimeout=5`, `starttimeout=10`, `port=80` (on the host too),
//! `dynamic=80` (any host port); all others are its command (see [`crate::behaviour`]).

use serde_json::{Value, json};

use crate::line::Line;

/// The request of `RegisterTaskDefinition`.
pub(crate) fn read(line: &Line) -> Result<Value, String> {
    let family = line.word(0)?;
    let text = line.rest.as_deref().ok_or("a task needs ` : ` and containers")?;
    let containers: Result<Vec<_>, _> = text.split_whitespace().map(read_container).collect();
    let mut request = json!({
        "family": family,
        "cpu": line.option("cpu").unwrap_or("256"),
        "memory": line.option("memory").unwrap_or("256"),
        "containerDefinitions": containers?,
    });
    if let Some(mode) = line.option("net") {
        set(&mut request, "networkMode", json!(mode));
    }
    if line.has("fargate") {
        set(&mut request, "requiresCompatibilities", json!(["FARGATE"]));
    }
    if let Some(expression) = line.option("member") {
        let constraint = json!([{"type": "memberOf", "expression": expression}]);
        set(&mut request, "placementConstraints", constraint);
    }
    Ok(request)
}

pub(crate) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn read_container(text: &str) -> Result<Value, String> {
    let (name, words) = text.split_once('(').unwrap_or((text, ""));
    let words = words.trim_end_matches(')');
    let mut container = json!({
        "name": name, "image": "registry.test/app:1", "essential": true, "memory": 64,
    });
    let mut command = Vec::new();
    let mut depends_on = Vec::new();
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<u32>().map_err(|_| format!("`{word}` needs a number"));
        match key {
            "nonessential" => set(&mut container, "essential", json!(false)),
            "after" => {
                let (other, condition) = value
                    .split_once('/')
                    .ok_or_else(|| format!("`{word}` needs NAME/CONDITION"))?;
                depends_on.push(json!({"containerName": other, "condition": condition}));
            }
            "health" => {
                let grace = value.parse::<u32>().unwrap_or(0);
                let check = json!({
                    "command": ["CMD", "check"], "interval": 5, "timeout": 2, "retries": 2,
                    "startPeriod": grace,
                });
                set(&mut container, "healthCheck", check);
            }
            "restart" => {
                let policy = json!({"enabled": true, "restartAttemptPeriod": number()?});
                set(&mut container, "restartPolicy", policy);
            }
            "stoptimeout" => set(&mut container, "stopTimeout", json!(number()?)),
            "starttimeout" => set(&mut container, "startTimeout", json!(number()?)),
            "memory" => set(&mut container, "memory", json!(number()?)),
            "port" => {
                let mappings = json!([{"containerPort": number()?, "hostPort": number()?}]);
                set(&mut container, "portMappings", mappings);
            }
            "dynamic" => {
                set(&mut container, "portMappings", json!([{"containerPort": number()?}]));
            }
            _ => command.push(word.to_owned()),
        }
    }
    set(&mut container, "command", json!(command));
    if !depends_on.is_empty() {
        set(&mut container, "dependsOn", json!(depends_on));
    }
    Ok(container)
}
