//! RegisterTaskDefinition, every one durable before it is answered.

use std::time::Duration;

use anyhow::Result;

use crate::Setting;
use crate::http::{ECS, Endpoint};
use crate::load::{self, Load, Order};
use crate::moto::Moto;
use crate::report::{Goal, Row};
use crate::start::SLEEP;
use crate::world::{World, definition};

/// Families registered in the time, at most.
const FAMILIES: usize = 60_000;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let duration = setting.amount(Duration::from_secs(5), Duration::from_secs(1));
    let mut rows = Vec::new();
    for (what, families, goal) in [
        ("a family each", FAMILIES, Goal::AtLeast(2000.0)),
        ("all of one family", 1, Goal::None(true)),
    ] {
        let world = World::start(setting)?;
        let ours = load(&world.endpoint()?, world.pid()?, families, duration)?;
        world.finish();
        let peer = match Moto::start(setting)? {
            Some(moto) => Some(load(&moto.endpoint(), moto.pid(), families, duration)?),
            None => None,
        };
        rows.push(
            Row::new(
                format!("Durable RegisterTaskDefinition, {what}"),
                ours.requests_per_s,
                "requests/s",
                goal,
            )
            .peer("moto_server, in memory", peer.map(|peer| peer.requests_per_s))
            .method(format!(
                "64 connections; p99 {:.1} ms, {:.0} µs of the server's processor time a request.",
                ours.p99_ms, ours.cpu_us
            )),
        );
    }
    Ok(rows)
}

fn load(endpoint: &Endpoint, pid: u32, families: usize, duration: Duration) -> Result<Load> {
    let requests = (0..families).map(|number| {
        let body = definition(&format!("family-{number}"), &SLEEP).to_string();
        endpoint.request(ECS, "RegisterTaskDefinition", &body)
    });
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let order = if families == 1 { Order::Again } else { Order::Once };
    load::run(endpoint, pid, &requests, order, duration)
}
