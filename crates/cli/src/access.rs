//! `portcullis access`.

use comfy_table::Table;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::AccessCommand;
use crate::client::{Client, ClientError, PORTCULLIS, with_client};
use crate::failure::Failure;
use crate::output::{print, time};

/// Principals taken in of a list, at most.
const MAX_LISTED: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrincipalWithAccess {
    principal: String,
    decision: String,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    statement: Option<u64>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    depends_on: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    principals: Vec<PrincipalWithAccess>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    grants: Vec<Grant>,
    #[serde(default)]
    smallest_policy: Option<String>,
    #[serde(default)]
    widened: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
    action: String,
    policy: String,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    statement: Option<u64>,
    resources: Vec<String>,
    #[serde(default)]
    last_used_at: Option<f64>,
}

/// Tells who can do something, or what somebody was granted and needed.
pub(crate) fn access(command: AccessCommand) -> Result<(), Failure> {
    match command {
        AccessCommand::WhoCan { server, action, resource, condition_keys } => {
            let keys: Vec<Value> = condition_keys
                .iter()
                .map(|(name, value)| json!({ "name": name, "values": [value] }))
                .collect();
            let mut input = json!({ "action": action, "conditionKeys": keys });
            if let (Some(resource), Some(input)) = (resource, input.as_object_mut()) {
                input.insert("resource".to_owned(), json!(resource));
            }
            let all = with_client(server, PORTCULLIS, async |client| all(client, input).await)?;
            print(&format!("{}\n", principals(&all)))
        }
        AccessCommand::Report { server, principal_arn, policy } => {
            let input = json!({ "principalArn": principal_arn });
            let report: Report = with_client(server, PORTCULLIS, async |client| {
                client.call("GetAccessReport", &input).await
            })?;
            match (policy, &report.smallest_policy) {
                (true, Some(document)) => print(&format!("{document}\n")),
                (true, None) => Err(nothing_used(&principal_arn)),
                (false, _) => print(&text(&report)),
            }
        }
    }
}

fn nothing_used(principal_arn: &str) -> Failure {
    Failure::new(format!("`{principal_arn}` has used nothing that the record still knows of"))
        .advice("detach its policies if it is not needed")
}

async fn all(
    client: &mut Client,
    mut input: Value,
) -> Result<Vec<PrincipalWithAccess>, ClientError> {
    let mut principals = Vec::new();
    loop {
        let page: Page = client.call("ListPrincipalsWithAccess", &input).await?;
        principals.extend(page.principals);
        match (page.next_token, input.as_object_mut()) {
            (Some(next), Some(input)) if principals.len() < MAX_LISTED => {
                input.insert("nextToken".to_owned(), json!(next));
            }
            _ => return Ok(principals),
        }
    }
}

fn principals(principals: &[PrincipalWithAccess]) -> Table {
    let mut table = Table::new();
    let header = ["PRINCIPAL", "ALLOWED", "BY", "DEPENDS ON"];
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for one in principals {
        let allowed = match one.decision.as_str() {
            "ALLOWED" => "yes",
            _ if one.depends_on.is_empty() => "no",
            _ => "perhaps",
        };
        let by = one
            .policy
            .as_deref()
            .map_or_else(String::new, |policy| place(policy, one.statement, one.sid.as_deref()));
        table.add_row([&one.principal, allowed, &by, &one.depends_on.join(" ")]);
    }
    table
}

fn text(report: &Report) -> String {
    let mut table = Table::new();
    let header = ["ACTION", "RESOURCES", "GRANTED BY", "LAST USED"];
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for Grant { action, policy, sid, statement, resources, last_used_at } in &report.grants {
        let used = last_used_at.map_or_else(|| "never".to_owned(), time);
        let by = place(policy, *statement, sid.as_deref());
        table.add_row([action, &resources.join(" "), &by, &used]);
    }
    let smallest = match &report.smallest_policy {
        Some(document) => {
            let wider = report
                .widened
                .iter()
                .map(|pattern| format!("wider than what was used: {pattern}\n"));
            let wider: String = wider.collect();
            format!("\nThe smallest policy that covers what was used:\n\n{document}\n\n{wider}")
        }
        None => "\nNothing was used that the record still knows of.\n".to_owned(),
    };
    format!("{table}\n{smallest}")
}

/// Where a statement is: `POLICY#2 (Sid)`, counted from 1 as people do.
fn place(policy: &str, statement: Option<u64>, sid: Option<&str>) -> String {
    let number =
        statement.map_or_else(String::new, |index| format!("#{}", index.saturating_add(1)));
    let sid = sid.map_or_else(String::new, |sid| format!(" ({sid})"));
    format!("{policy}{number}{sid}")
}
