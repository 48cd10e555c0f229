//! Client tokens: a request that is repeated makes nothing new.

use aws_lc_rs::digest::{SHA256, digest};
use base::Timestamp;
use serde::Serialize;
use state::{Change, ClientToken, Row, View};
use wire::ApiError;

use crate::error::{invalid_parameter, server_exception};

/// The most characters of a token.
const MAX_CHARACTERS: usize = 64;

/// A token as it came, with the request it came with.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    scope: String,
    request_digest: String,
}

/// What is known of a token.
#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// Never seen, or forgotten.
    No,
    /// It came with the same request, which made these.
    Same(&'a [String]),
    /// It came with another request, which made these.
    Other(&'a [String]),
}

impl Token {
    /// The token of a request, if it has one.
    pub(crate) fn read<T: Serialize>(
        operation: &str,
        cluster: &str,
        given: Option<&str>,
        request: &T,
    ) -> Result<Option<Self>, ApiError> {
        let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
        let printable = given.bytes().all(|byte| (33..=126).contains(&byte));
        if given.len() > MAX_CHARACTERS || !printable {
            return Err(invalid_parameter(format!(
                "clientToken must have 1 to {MAX_CHARACTERS} ASCII characters in the range of 33-126 (inclusive)."
            )));
        }
        let request = serde_json::to_vec(request).map_err(|error| {
            tracing::error!(%error, operation, "a request cannot be written for its digest");
            server_exception("The request could not be compared with earlier ones.")
        })?;
        Ok(Some(Self {
            scope: format!("{operation}/{cluster}/{given}"),
            request_digest: hex::encode(digest(&SHA256, &request)),
        }))
    }

    /// What the state knows of it.
    pub(crate) fn look_up<'a>(&self, view: &'a View) -> Known<'a> {
        match view.client_token(&self.scope) {
            None => Known::No,
            Some(row) if row.request_digest == self.request_digest => {
                Known::Same(&row.value.results)
            }
            Some(row) => Known::Other(&row.value.results),
        }
    }

    /// Remembers what the request made.
    pub(crate) fn remember(
        &self,
        view: &View,
        change: &mut Change,
        results: Vec<String>,
        created_at: Timestamp,
    ) {
        let known: Option<&Row<ClientToken>> = view.client_token(&self.scope);
        let token = ClientToken {
            scope: self.scope.clone(),
            request_digest: self.request_digest.clone(),
            results,
            created_at,
        };
        change.put(known, &token);
    }
}
