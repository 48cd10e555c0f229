//! Asks the server.

use serde_json::{Value, json};

use super::model::{ClusterStatus, Described, Page};
use crate::client::{Client, ClientError};

/// ARNs taken in of one list, at most.
const MAX_LISTED: usize = 10_000;
/// Stopped tasks looked at, at most.
const MAX_STOPPED: usize = 1_000;
/// How many `DescribeServices` takes at once.
const SERVICES_AT_ONCE: usize = 10;
/// How many other describe calls take at once.
const OTHERS_AT_ONCE: usize = 100;

/// All clusters, or the one that is asked for.
pub(crate) async fn clusters(
    client: &mut Client,
    only: Option<&str>,
) -> Result<Vec<ClusterStatus>, ClientError> {
    let names = match only {
        Some(name) => vec![name.to_owned()],
        None => {
            let (arns, _) =
                list(client, "ListClusters", json!({}), MAX_LISTED, |page| page.cluster_arns)
                    .await?;
            arns.iter().map(|arn| last_part(arn).to_owned()).collect()
        }
    };
    let mut clusters = Vec::with_capacity(names.len());
    for name in names {
        clusters.push(cluster(client, name).await?);
    }
    Ok(clusters)
}

/// What follows the last slash: a cluster's name, a task's id.
pub(crate) fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

async fn cluster(client: &mut Client, name: String) -> Result<ClusterStatus, ClientError> {
    let mut found = ClusterStatus { name, ..ClusterStatus::default() };
    let input = json!({ "cluster": found.name });
    let (arns, _) =
        list(client, "ListServices", input.clone(), MAX_LISTED, |page| page.service_arns).await?;
    for chunk in arns.chunks(SERVICES_AT_ONCE) {
        let input = json!({ "cluster": found.name, "services": chunk });
        let described: Described = client.call("DescribeServices", &input).await?;
        found.services.extend(described.services);
    }
    let (arns, _) = list(client, "ListContainerInstances", input, MAX_LISTED, |page| {
        page.container_instance_arns
    })
    .await?;
    for chunk in arns.chunks(OTHERS_AT_ONCE) {
        let input = json!({ "cluster": found.name, "containerInstances": chunk });
        let described: Described = client.call("DescribeContainerInstances", &input).await?;
        found.instances.extend(described.container_instances);
    }
    for (desired, limit) in [("RUNNING", MAX_LISTED), ("STOPPED", MAX_STOPPED)] {
        let input = json!({ "cluster": found.name, "desiredStatus": desired });
        let (arns, more) = list(client, "ListTasks", input, limit, |page| page.task_arns).await?;
        found.truncated |= more;
        for chunk in arns.chunks(OTHERS_AT_ONCE) {
            let input = json!({ "cluster": found.name, "tasks": chunk });
            let described: Described = client.call("DescribeTasks", &input).await?;
            for task in described.tasks {
                let stopped = task.last_status == "STOPPED";
                if stopped { found.stopped.push(task) } else { found.tasks.push(task) }
            }
        }
    }
    found.services.sort_by(|one, other| one.service_name.cmp(&other.service_name));
    found
        .tasks
        .sort_by(|one, other| (&one.group, &one.task_arn).cmp(&(&other.group, &other.task_arn)));
    let stopped_at = |task: &super::model::Task| task.stopped_at.unwrap_or(task.created_at);
    found.stopped.sort_by(|one, other| stopped_at(other).total_cmp(&stopped_at(one)));
    Ok(found)
}

/// All pages of a list up to `limit` ARNs, and whether there is more.
async fn list(
    client: &mut Client,
    operation: &'static str,
    mut input: Value,
    limit: usize,
    arns: impl Fn(Page) -> Vec<String>,
) -> Result<(Vec<String>, bool), ClientError> {
    let mut all = Vec::new();
    loop {
        let page: Page = client.call(operation, &input).await?;
        let next = page.next_token.clone().filter(|token| !token.is_empty());
        all.extend(arns(page));
        let Some(next) = next else { return Ok((all, false)) };
        if all.len() >= limit {
            all.truncate(limit);
            return Ok((all, true));
        }
        if let Some(fields) = input.as_object_mut() {
            fields.insert("nextToken".to_owned(), Value::String(next));
        }
    }
}
