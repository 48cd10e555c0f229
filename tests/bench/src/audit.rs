//! The audit log by itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use audit::{AuditLog, AuditRecorder, Config, Findings};
use base::{Clock, ManualClock, Region, Scope, SeededIds, Timestamp};
use operation::{CallRecord, Recorder as _, Who};
use policy::{Access, Decided, Decision, Principal};
use wire::{Api, Protocol, Recorded};

use crate::report::{Goal, Row};
use crate::{Setting, clock};

const CALLERS: usize = 64;
const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000);

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

/// Records calls of 64 callers: written for calls that change nothing, synced for others.
pub(crate) fn measure(setting: &Setting) -> Result<Vec<Row>> {
    let directory = tempfile::Builder::new().prefix("audit").tempdir_in(&setting.directory)?;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let ids = Arc::new(SeededIds::new(1));
    let path = directory.path().join("audit");
    let log = AuditLog::open(&path, Config::default(), Arc::clone(&clock), ids.as_ref())?;
    let scope = Scope { account: "123456789012".parse()?, region: "us-east-1".parse()? };
    let recorder = AuditRecorder::new(log.clone(), scope, clock, ids, Arc::new(Nobody));
    let recorder = Arc::new(recorder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let duration = setting.amount(Duration::from_secs(5), Duration::from_secs(1));
    let mut rows = Vec::new();
    for (operation, what) in [("DescribeTasks", "written"), ("RunTask", "synced")] {
        let rate = runtime.block_on(rate(&recorder, operation, duration))?;
        rows.push(
            Row::new(format!("Audit records, {what}"), rate, "1/s", Goal::None(true)).method(
                "64 callers in this process; a call that changes something waits for the disk, in groups.",
            ),
        );
    }
    log.close();
    let begin = clock::now();
    let report = audit::verify(&path, &log.public_key())?;
    let records = u32::try_from(report.records).context("too many records")?;
    let rate = f64::from(records) / begin.elapsed().as_secs_f64();
    rows.push(Row::new("Audit records verified", rate, "1/s", Goal::None(true)));
    Ok(rows)
}

#[derive(Debug)]
struct Nobody;

impl Findings for Nobody {
    fn raise(&self, _finding: iam::Finding) {}
}

fn call(operation: &'static str, principal: &Arc<Principal>, region: &Region) -> CallRecord {
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
        region: region.clone(),
        request: Recorded::Json(format!("{{\"cluster\":\"{CLUSTER}\",\"tasks\":[\"0123\"]}}")),
        elements: Recorded::Absent,
        error: None,
        decisions: vec![Decided { access, decision: Decision::Allowed(None) }].into(),
    }
}

async fn rate(
    recorder: &Arc<AuditRecorder>,
    operation: &'static str,
    duration: Duration,
) -> Result<f64> {
    let principal = Arc::new(Principal::root("123456789012".parse()?));
    let region: Region = "us-east-1".parse()?;
    let begin = clock::now();
    let callers = (0..CALLERS).map(|_| async {
        let mut count = 0_u32;
        while begin.elapsed() < duration {
            recorder.reserve()?.record(call(operation, &principal, &region)).await?;
            count = count.saturating_add(1);
        }
        anyhow::Ok(count)
    });
    let counts = futures_util::future::try_join_all(callers).await?;
    Ok(f64::from(counts.into_iter().sum::<u32>()) / begin.elapsed().as_secs_f64())
}
