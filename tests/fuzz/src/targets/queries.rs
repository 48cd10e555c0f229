//! The cluster query language.

use base::Timestamp;
use scheduler::{Instance, InstanceStatus, LaunchType, Query, QueryError, Resources};

use super::{Target, behaviour};

pub(super) const TARGET: Target = Target {
    name: "query",
    dictionary: &[
        "attribute:",
        "attribute:ecs.os-type",
        "agentConnected",
        "agentVersion",
        "ec2InstanceId",
        "registeredAt",
        "runningTasksCount",
        "task:group",
        "==",
        "!=",
        ">=",
        "<=",
        ">",
        "<",
        "=~",
        "!~",
        "exists",
        "!exists",
        "not_exists",
        "in [",
        "not_in [",
        "!in",
        "]",
        ",",
        "(",
        ")",
        "((((((((",
        "&&",
        "||",
        "and",
        "or",
        "not",
        "!",
        "\"",
        "'",
        "true",
        "equals",
        "matches",
        "(a+)+$",
        "[a-z]{1,1000}{1,1000}",
        "2018-06-18T22:28:28+00:00",
        "1.105.1",
        "service:web",
    ],
    repair: None,
    run,
};

fn run(input: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(input);
    let query = match Query::parse(&text) {
        Ok(query) => query,
        Err(error) => {
            let message = error.to_string();
            if let QueryError::Unexpected { position, .. } = &error {
                assert!(*position >= 1 && *position <= text.chars().count() + 1, "{message}");
            }
            return behaviour(&message);
        }
    };
    assert_eq!(query.as_str(), text);
    let [one, other] = [instance(true), instance(false)];
    let matches = (query.matches(&one), query.matches(&other));
    // The language's own negation.
    if let Ok(negated) = Query::parse(&format!("!({text})")) {
        let negated = (negated.matches(&one), negated.matches(&other));
        assert_eq!(negated, (!matches.0, !matches.1), "`!({text})` is not the opposite");
    }
    behaviour(&(matches, text.split_whitespace().map(|word| word.len().min(9)).collect::<Vec<_>>()))
}

fn instance(rich: bool) -> Instance {
    let attributes = [("ecs.os-type", Some("linux")), ("zone", Some("10")), ("gpu", None)]
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    Instance {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        ec2_instance_id: rich.then(|| "i-0123456789abcdef0".to_owned()),
        status: InstanceStatus::Active,
        agent_connected: rich,
        agent_version: if rich { "1.105.1" } else { "" }.to_owned(),
        registered_at: Timestamp::from_epoch_ms(1_529_360_908_000),
        attributes: if rich { attributes.into() } else { [].into() },
        launch_types: [LaunchType::Ec2].into(),
        total: Resources::default(),
        remaining: Resources::default(),
        used_host_ports: [].into(),
        running_tasks: u32::from(rich),
        tasks_by_group: if rich { [("service:web".to_owned(), 1)].into() } else { [].into() },
    }
}
