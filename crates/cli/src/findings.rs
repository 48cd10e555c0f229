//! `portcullis findings`.

use std::collections::BTreeMap;

use comfy_table::Table;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::FindingsArguments;
use crate::client::{Client, ClientError, PORTCULLIS, with_client};
use crate::failure::Failure;
use crate::output::{print, time};

/// Findings taken in of a list, at most.
const MAX_LISTED: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    id: String,
    rule: String,
    severity: String,
    title: String,
    resource: String,
    last_seen_at: f64,
    #[serde(default)]
    evidence: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    findings: Vec<Finding>,
    #[serde(default)]
    next_token: Option<String>,
}

/// Lists findings, or marks one as dealt with.
pub(crate) fn findings(arguments: FindingsArguments) -> Result<(), Failure> {
    let FindingsArguments { server, archived, archive } = arguments;
    if let Some(id) = archive {
        with_client(server, PORTCULLIS, async |client| {
            client.call::<Value>("ArchiveFinding", &json!({ "id": id })).await
        })?;
        return Ok(());
    }
    let mut findings = with_client(server, PORTCULLIS, async |client| all(client, archived).await)?;
    findings.sort_by(|one, other| other.last_seen_at.total_cmp(&one.last_seen_at));
    print(&format!("{}\n", table(&findings)))
}

async fn all(client: &mut Client, archived: bool) -> Result<Vec<Finding>, ClientError> {
    let (mut findings, mut input) = (Vec::new(), json!({ "archived": archived }));
    loop {
        let page: Page = client.call("ListFindings", &input).await?;
        findings.extend(page.findings);
        match page.next_token {
            Some(next) if findings.len() < MAX_LISTED => {
                input = json!({ "archived": archived, "nextToken": next });
            }
            Some(_) | None => return Ok(findings),
        }
    }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    let header = ["LAST SEEN", "SEVERITY", "RULE", "WHAT", "RESOURCE", "EVIDENCE", "ID"];
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for finding in findings {
        let Finding { id, rule, severity, title, resource, last_seen_at, evidence } = finding;
        let evidence: Vec<String> =
            evidence.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (seen, evidence) = (time(*last_seen_at), evidence.join(" "));
        table.add_row([&seen, severity, rule, title, resource, &evidence, id]);
    }
    table
}
