//! Measures operations in this process, on a durable store, without sockets and signatures:
//! `measure`, in release.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::error::Error;
use std::sync::Arc;

use base::{ManualClock, Scope, SeededIds, Timestamp};
use domain::ContainerInstance;
use operation::{Call, Service as _};
use policy::Caller;
use service_ecs::{EcsContext, EcsService, Placements, Registrations};
use state::{Change, State};
use store_redb::{Options, RedbStore};
use tokio::time::Instant;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 64;

struct Measured {
    service: EcsService,
    caller: Caller,
}

#[tokio::main]
async fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = RedbStore::open(&directory.path().join("store"), Options::default())?;
    let (state, follower) = State::open(Arc::new(store)).await?;
    tokio::spawn(follower.run());
    let scope = Scope { account: "123456789012".parse()?, region: "us-east-1".parse()? };
    let now = Timestamp::from_epoch_ms(1_732_060_800_000);
    let caller = Caller::root(scope.account.clone(), scope.region.clone(), now);
    let service = EcsService::new(EcsContext {
        state,
        clock: Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_732_060_800_000))),
        ids: Arc::new(SeededIds::new(1)),
        scope,
        guard_mode: guard::Mode::Enforce,
        registrations: Registrations::default(),
        placements: Placements::default(),
    });
    let measured = Arc::new(Measured { service, caller });
    let register = |family: String| {
        format!(
            r#"{{"family": "{family}", "containerDefinitions": [{{"name": "web", "image": "nginx:1.27",
            "cpu": 256, "memory": 512, "portMappings": [{{"containerPort": 80}}],
            "environment": [{{"name": "MODE", "value": "production"}}],
            "healthCheck": {{"command": ["CMD-SHELL", "curl -f http://localhost/"]}}}}]}}"#
        )
    };
    let one = |_| register("one".to_owned());
    run(&measured, "RegisterTaskDefinition, one family", "RegisterTaskDefinition", 200, one)
        .await?;
    let own = |client| register(format!("family-{client}"));
    run(&measured, "RegisterTaskDefinition, 64 families", "RegisterTaskDefinition", 200, own)
        .await?;
    let describe = |_| r#"{"taskDefinition": "one:7"}"#.to_owned();
    run(&measured, "DescribeTaskDefinition", "DescribeTaskDefinition", 2_000, describe).await?;
    tasks(&measured).await
}

/// DescribeTasks with one task and with 10,000, RunTask meanwhile.
async fn tasks(measured: &Arc<Measured>) -> Outcome {
    let instance = instance()?;
    let mut change = Change::new();
    change.create(&instance);
    measured.service.context().state.commit(change).await?;
    let call = |operation, body: &str| {
        let caller = measured.caller.clone();
        measured.service.call(Call { operation, caller, body: body.to_owned().into() })
    };
    call("CreateCluster", "{}").await;
    let started = call("RunTask", r#"{"taskDefinition": "one:7"}"#).await;
    let started: serde_json::Value = serde_json::from_slice(&started.response.body)?;
    let arn = started.pointer("/tasks/0/taskArn").and_then(serde_json::Value::as_str);
    let body = format!(r#"{{"tasks": ["{}"]}}"#, arn.ok_or("no task was started")?);
    let describe = |_| body.clone();
    run(measured, "DescribeTasks, 1 task", "DescribeTasks", 2_000, describe).await?;
    let start = |_| r#"{"taskDefinition": "one:7", "count": 10}"#.to_owned();
    run(measured, "RunTask of 10", "RunTask", 16, start).await?;
    run(measured, "DescribeTasks, 10,241 tasks", "DescribeTasks", 2_000, describe).await
}

/// An instance with room for everything.
fn instance() -> Result<ContainerInstance, serde_json::Error> {
    serde_json::from_value(serde_json::json!({
        "id": "0123456789abcdef0123456789abcdef", "cluster": "default", "status": "Active",
        "status_reason": null, "agent_connected": true, "agent_version": "1.0.0",
        "registered": { "cpu_units": 100_000_000, "memory_mib": 100_000_000, "ports": [] },
        "attributes": { "ecs.cpu-architecture": "x86_64" }, "registered_at": 0,
        "ec2_instance_id": "i-0123456789abcdef0", "fargate_isolation": null, "system": {},
        "tags": {}, "version": 1,
    }))
}

/// `each` calls by every one of 64 clients at once.
async fn run(
    measured: &Arc<Measured>,
    what: &str,
    operation: &'static str,
    each: usize,
    body: impl Fn(usize) -> String,
) -> Outcome {
    let start = Instant::now();
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (measured, body) = (Arc::clone(measured), body(client));
        clients.push(tokio::spawn(async move {
            let mut failed = 0_usize;
            for _ in 0..each {
                let body = body.clone().into();
                let call = Call { operation, caller: measured.caller.clone(), body };
                let response = measured.service.call(call).await;
                failed = failed.saturating_add(usize::from(response.response.status != 200));
            }
            failed
        }));
    }
    let mut failed = 0_usize;
    for client in clients {
        failed = failed.saturating_add(client.await?);
    }
    let calls = u32::try_from(CLIENTS.saturating_mul(each))?;
    let per_second = f64::from(calls) / start.elapsed().as_secs_f64();
    println!("{what}: {calls} calls, {failed} failed, {per_second:.0}/s at {CLIENTS} clients");
    Ok(())
}
