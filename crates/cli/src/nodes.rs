//! `portcullis nodes`.

use comfy_table::Table;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arguments::NodesArguments;
use crate::client::{Client, ClientError, PORTCULLIS, with_client};
use crate::failure::Failure;
use crate::output::{print, time};

/// Nodes taken in of a list, at most.
const MAX_LISTED: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: String,
    cluster: String,
    status: String,
    connected: bool,
    joined_at: f64,
    certificate_expires_at: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Node>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

/// Lists the machines that joined, or revokes one.
pub(crate) fn nodes(arguments: NodesArguments) -> Result<(), Failure> {
    let NodesArguments { server, cluster, revoke } = arguments;
    if let Some(id) = revoke {
        with_client(server, PORTCULLIS, async |client| {
            client.call::<Value>("RevokeNode", &json!({ "id": id })).await
        })?;
        return Ok(());
    }
    let cluster = cluster.as_deref();
    let nodes = with_client(server, PORTCULLIS, async |client| all(client, cluster).await)?;
    print(&format!("{}\n", table(&nodes)))
}

async fn all(client: &mut Client, cluster: Option<&str>) -> Result<Vec<Node>, ClientError> {
    let (mut nodes, mut next_token) = (Vec::new(), None::<String>);
    loop {
        let input = Input { cluster, next_token: next_token.as_deref() };
        let page: Page = client.call("ListNodes", &json!(input)).await?;
        nodes.extend(page.nodes);
        next_token = page.next_token.filter(|_| nodes.len() < MAX_LISTED);
        if next_token.is_none() {
            return Ok(nodes);
        }
    }
}

fn table(nodes: &[Node]) -> Table {
    let mut table = Table::new();
    let header = ["ID", "CLUSTER", "STATUS", "CONNECTED", "JOINED", "CERTIFICATE UNTIL"];
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for node in nodes {
        let Node { id, cluster, status, connected, joined_at, certificate_expires_at } = node;
        let connected = if *connected { "yes" } else { "no" };
        let (joined, until) = (time(*joined_at), time(*certificate_expires_at));
        table.add_row([id, cluster, status, connected, &joined, &until]);
    }
    table
}
