//! DescribeTasks with signatures checked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sigv4::SecretKey;

use crate::http::{ECS, Endpoint};
use crate::load::{self, Load, Order};
use crate::moto::Moto;
use crate::report::{Goal, Row};
use crate::world::{Client, MAX_DESCRIBED, World, array, started, task_id};
use crate::{Setting, seed};

/// Different requests, at most.
const REQUESTS: usize = 1000;
/// The numbers of tasks to compare.
const FEW: u32 = 100;
const MANY: u32 = 10_000;
/// Of each number, in turns.
const ROUNDS: usize = 5;
/// What counts as no slower.
const NO_SLOWER: f64 = 0.95;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let (few, few_ids) = filled(World::start(setting)?, FEW)?;
    let (many, many_ids) = filled(World::beside(setting)?, MANY)?;
    refuses_another_secret(&few.endpoint()?)?;
    let duration = setting.amount(Duration::from_secs(2), Duration::from_secs(1));
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    // In turns: what else the machine does meets both.
    for _ in 0..ROUNDS {
        with_few.push(load(&few.endpoint()?, few.pid()?, &few_ids, duration)?);
        with_many.push(load(&many.endpoint()?, many.pid()?, &many_ids, duration)?);
    }
    few.finish();
    many.finish();
    let (few, many) = (middle(with_few)?, middle(with_many)?);
    let ratio = many.requests_per_s / few.requests_per_s;
    Ok(vec![
        row(setting, FEW, few)?,
        row(setting, MANY, many)?,
        Row::new("10,000 tasks against 100, requests/s", ratio, "ratio", Goal::AtLeast(NO_SLOWER))
            .method("No slower, but for the noise of the measurement: a twentieth."),
    ])
}

fn row(setting: &Setting, count: u32, ours: Load) -> Result<Row> {
    let peer = moto(setting, count)?.map(|peer| peer.requests_per_s);
    let what = format!("Signed DescribeTasks, {count} tasks");
    Ok(Row::new(what, ours.requests_per_s, "requests/s", Goal::AtLeast(15_000.0))
        .peer("moto_server, no signatures", peer)
        .method(format!(
            "One task a request, 64 connections kept alive, the load from one thread on the same \
             cores; median of {ROUNDS} rounds, in turns with the other number of tasks; p99 {:.1} \
             ms, {:.0} µs of the server's processor time a request.",
            ours.p99_ms, ours.cpu_us
        )))
}

/// The median by requests per second.
fn middle(mut rounds: Vec<Load>) -> Result<Load> {
    rounds.sort_unstable_by(|a, b| a.requests_per_s.total_cmp(&b.requests_per_s));
    rounds.get(rounds.len() / 2).copied().context("nothing was measured")
}

/// Makes sure that signatures are looked at.
fn refuses_another_secret(endpoint: &Endpoint) -> Result<()> {
    let secret = SecretKey::new("another".to_owned());
    let mut client = Client::connect(Endpoint { secret, ..endpoint.clone() })?;
    ensure!(client.ecs("ListClusters", &json!({})).is_err(), "a wrong signature was accepted");
    Ok(())
}

/// A world with stopped tasks in its store; their ids.
pub(crate) fn filled(mut world: World, count: u32) -> Result<(World, Vec<String>)> {
    let mut client = world.client()?;
    client.register("true", &["true"])?;
    let arns = client.run("true", 1)?;
    client.wait_tasks(&arns, "STOPPED")?;
    drop(client);
    world.terminate();
    let ids = seed::copies(&world.store(), count)?;
    world.start_again();
    Ok((world, ids))
}

fn load(endpoint: &Endpoint, pid: u32, ids: &[String], duration: Duration) -> Result<Load> {
    let step = ids.len().div_ceil(REQUESTS).max(1);
    let ids: Vec<&String> = ids.iter().step_by(step).collect();
    // Under load only the status is looked at, which is 200 for a task that is not there, too.
    let mut client = Client::connect(endpoint.clone())?;
    for some in ids.chunks(MAX_DESCRIBED) {
        let body = json!({"cluster": "default", "tasks": some});
        let found = array(&mut client.ecs("DescribeTasks", &body)?, "tasks").len();
        ensure!(found == some.len(), "{found} of {} tasks are there", some.len());
    }
    let requests = ids.iter().map(|id| {
        let body = json!({"cluster": "default", "tasks": [id]});
        endpoint.request(ECS, "DescribeTasks", &body.to_string())
    });
    let requests = requests.collect::<Result<Vec<_>>>()?;
    load::run(endpoint, pid, &requests, Order::Again, duration)
}

/// The same on moto, whose tasks only have to be there.
fn moto(setting: &Setting, count: u32) -> Result<Option<Load>> {
    let Some(moto) = Moto::start(setting)? else { return Ok(None) };
    let mut client = moto.client()?;
    client.ecs("CreateCluster", &json!({"clusterName": "default"}))?;
    client.register("true", &["true"])?;
    let body = json!({"taskDefinition": "true", "launchType": "FARGATE", "count": count});
    let arns = started(&client.ecs("RunTask", &body)?)?;
    let ids: Vec<String> = arns.iter().map(|arn| task_id(arn).to_owned()).collect();
    ids.first().context("moto started nothing")?;
    let duration = setting.amount(Duration::from_secs(5), Duration::from_secs(1));
    load(&moto.endpoint(), moto.pid(), &ids, duration).map(Some)
}
