//! `portcullis join-token`.

use comfy_table::Table;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::JoinTokenCommand;
use crate::client::{Client, ClientError, PORTCULLIS, with_client};
use crate::failure::Failure;
use crate::output::{print, time};

/// Tokens taken in of a list, at most.
const MAX_LISTED: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinToken {
    id: String,
    cluster: String,
    status: String,
    created_by: String,
    expires_at: f64,
    #[serde(default)]
    used_by: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    join_tokens: Vec<JoinToken>,
    #[serde(default)]
    next_token: Option<String>,
}

/// Makes, lists or deletes tokens.
pub(crate) fn join_token(command: JoinTokenCommand) -> Result<(), Failure> {
    match command {
        JoinTokenCommand::Create { server, cluster, expires_in } => {
            let input = json!({ "cluster": cluster, "expiresInSeconds": expires_in });
            let created: Created = with_client(server, PORTCULLIS, async |client| {
                client.call("CreateJoinToken", &input).await
            })?;
            print(&format!("{}\n", created.token))
        }
        JoinTokenCommand::List { server } => {
            let tokens = with_client(server, PORTCULLIS, all)?;
            print(&format!("{}\n", table(&tokens)))
        }
        JoinTokenCommand::Delete { id, server } => {
            with_client(server, PORTCULLIS, async |client| {
                client.call::<Value>("DeleteJoinToken", &json!({ "id": id })).await
            })?;
            Ok(())
        }
    }
}

async fn all(client: &mut Client) -> Result<Vec<JoinToken>, ClientError> {
    let (mut tokens, mut input) = (Vec::new(), json!({}));
    loop {
        let page: Page = client.call("ListJoinTokens", &input).await?;
        tokens.extend(page.join_tokens);
        match page.next_token {
            Some(next) if tokens.len() < MAX_LISTED => input = json!({ "nextToken": next }),
            Some(_) | None => return Ok(tokens),
        }
    }
}

fn table(tokens: &[JoinToken]) -> Table {
    let mut table = Table::new();
    let header = ["ID", "CLUSTER", "STATUS", "EXPIRES", "MADE BY", "USED BY"];
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    for token in tokens {
        let JoinToken { id, cluster, status, created_by, expires_at, used_by } = token;
        let used_by = used_by.as_deref().unwrap_or("-");
        table.add_row([id, cluster, status, &time(*expires_at), created_by, used_by]);
    }
    table
}
