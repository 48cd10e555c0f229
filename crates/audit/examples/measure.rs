//! How many records a second the log takes, written and synced:
//! `cargo run --release -p audit --example measure -- DIRECTORY`.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit::{AuditLog, AuditRecorder, Config, Findings};
use base::{Clock, ManualClock, Scope, SeededIds, Timestamp};
use operation::{CallRecord, Recorder as _, Who};
use policy::{Access, Decided, Decision, Principal};
use tokio::time::Instant;
use wire::{Api, Protocol, Recorded};

type Failure = Box<dyn Error + Send + Sync>;

const DURATION: Duration = Duration::from_secs(5);
const CALLERS: usize = 64;
const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/default";

static ECS: Api = Api {
    service_id: "ECS",
    full_name: "Amazon ECS",
    signing_name: "ecs",
    endpoint_prefix: "ecs",
    target_prefix: None,
    protocol: Protocol::AwsJson1_1,
    api_version: "2014-11-13",
    xml_namespace: None,
    validation_error_code: "InvalidParameterException",
    operations: &[],
    operation_names: &[],
};

#[derive(Debug)]
struct Nobody;

impl Findings for Nobody {
    fn raise(&self, _finding: iam::Finding) {}
}

fn call(operation: &'static str, principal: &Arc<Principal>) -> CallRecord {
    let access = Access::new(format!("ecs:{operation}"), CLUSTER);
    CallRecord {
        api: &ECS,
        operation,
        who: Who {
            principal: Some(Arc::clone(principal)),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            ..Who::default()
        },
        request_id: "11111111-2222-3333-4444-555555555555".into(),
        source_ip: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        source_vpce: None,
        user_agent: Some("aws-cli/2.17 md/Botocore#1.34 ua/2.0 os/linux".to_owned()),
        host: None,
        secure_transport: false,
        time: Timestamp::from_epoch_ms(1_772_323_170_000),
        region: match "us-east-1".parse() {
            Ok(region) => region,
            Err(_) => std::process::abort(),
        },
        request: Recorded::Json(format!("{{\"cluster\":\"{CLUSTER}\",\"tasks\":[\"0123\"]}}")),
        elements: Recorded::Absent,
        error: None,
        decisions: vec![Decided { access, decision: Decision::Allowed(None) }].into(),
    }
}

async fn rate(recorder: &Arc<AuditRecorder>, operation: &'static str) -> Result<u64, Failure> {
    let principal = Arc::new(Principal::root("123456789012".parse()?));
    let until = Instant::now() + DURATION;
    let callers = (0..CALLERS).map(|_| {
        let (recorder, principal) = (Arc::clone(recorder), Arc::clone(&principal));
        tokio::spawn(async move {
            let mut count = 0_u64;
            while Instant::now() < until {
                recorder.reserve()?.record(call(operation, &principal)).await?;
                count += 1;
            }
            Ok::<_, Failure>(count)
        })
    });
    let mut sum = 0;
    for caller in callers.collect::<Vec<_>>() {
        sum += caller.await??;
    }
    Ok(sum / DURATION.as_secs())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).ok_or("give a directory that does not exist yet")?;
    let clock: Arc<dyn Clock> =
        Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_772_323_170_000)));
    let ids = Arc::new(SeededIds::new(1));
    let config = Config::default();
    let log = AuditLog::open(Path::new(&directory), config, Arc::clone(&clock), ids.as_ref())?;
    let scope = Scope { account: "123456789012".parse()?, region: "us-east-1".parse()? };
    let recorder = Arc::new(AuditRecorder::new(log.clone(), scope, clock, ids, Arc::new(Nobody)));
    let mut out = std::io::stdout();
    for (operation, what) in [("DescribeTasks", "written"), ("RunTask", "synced")] {
        let rate = rate(&recorder, operation).await?;
        writeln!(out, "{rate} records/s {what}, {CALLERS} callers")?;
    }
    log.close();
    let started = Instant::now();
    let report = audit::verify(Path::new(&directory), &log.public_key())?;
    let elapsed_ms = started.elapsed().as_millis();
    writeln!(out, "{} records verified in {elapsed_ms} ms", report.records)?;
    Ok(())
}
