//! The bodies of the requests that are not in `node-proto`, and the limits of all.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use node_proto::DesiredSet;
use serde::{Deserialize, Serialize};

/// Where requests go.
pub(crate) mod path {
    pub(crate) const JOIN: &str = "/v1/join";
    pub(crate) const RENEW: &str = "/v1/renew";
    pub(crate) const REGISTER: &str = "/v1/register";
    pub(crate) const DESIRED: &str = "/v1/desired";
    pub(crate) const REPORT: &str = "/v1/report";
    pub(crate) const CREDENTIALS: &str = "/v1/credentials";
    pub(crate) const REFUSED: &str = "/v1/refused";
    pub(crate) const TAGS: &str = "/v1/tags";
    pub(crate) const LOG_POSITION: &str = "/v1/log-position";
    pub(crate) const LOG_APPEND: &str = "/v1/log-append";
    pub(crate) const TASK_CALL: &str = "/v1/task-call";
}

/// How long a poll for the desired set waits for news.
pub(crate) const POLL: Duration = Duration::from_secs(20);
/// How long any other request may take, and how much longer than [`POLL`] a poll.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bodies of requests without lists, in bytes.
pub(crate) const SMALL_BODY: usize = 64 << 10;
/// Bodies of reports and of batches of log lines, in bytes.
pub(crate) const LARGE_BODY: usize = 4 << 20;
/// Bodies of tasks' API calls, in bytes, as at the APIs' own endpoint.
pub(crate) const MAX_CALL_BODY: usize = 10 << 20;
/// The line before the body of a task's API call or of its answer, in bytes.
pub(crate) const MAX_CALL_HEAD: usize = 256 << 10;
/// Headers of a task's API call, as at the APIs' own endpoint.
pub(crate) const MAX_CALL_HEADERS: usize = 100;
/// Bodies of calls longer than [`SMALL_BODY`] at the same time, on a node and in all.
pub(crate) const MAX_LARGE_CALLS: usize = 16;
/// How long a task's API call may take between node and control plane.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Answers, in bytes: the largest is a desired set of many tasks.
pub(crate) const MAX_ANSWER: usize = 64 << 20;
/// Entries of a list in one request.
pub(crate) const MAX_ENTRIES: usize = 128;

/// Asks to join.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinRequest {
    /// Names the token.
    pub(crate) token_id: String,
    /// Proves who holds it.
    pub(crate) secret: node_proto::Secret,
    /// The container instance that the machine will be.
    pub(crate) instance_id: String,
    /// Its public key, in hexadecimal.
    pub(crate) public_key: String,
    /// A signature that proves that it has the private key, in hexadecimal.
    pub(crate) proof: String,
}

/// Welcome.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JoinAnswer {
    /// The cluster that the token names.
    pub(crate) cluster: String,
    /// The authority's certificate (PEM).
    pub(crate) authority: String,
    /// The node's first certificate.
    #[serde(flatten)]
    pub(crate) certificate: CertificateAnswer,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CertificateAnswer {
    /// The certificate (PEM).
    pub(crate) certificate: String,
    /// When it was issued, by the control plane's clock.
    pub(crate) issued_at: Timestamp,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

/// A node's session with one process of the control plane.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RegisterAnswer {
    /// Names the session in polls.
    pub(crate) session: u64,
    /// The desired set now.
    pub(crate) desired: Arc<DesiredSet>,
}

/// Asks for a desired set that is newer than the last one of this session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PollRequest {
    /// The session.
    pub(crate) session: u64,
    /// The generation of the last one.
    pub(crate) after: u64,
}

/// Whose log lines.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogHead {
    /// The task.
    pub(crate) task_id: String,
    /// Name of the container.
    pub(crate) container: String,
    /// As in [`node_proto::LogBatch`]; absent when the position is asked for.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// As in [`node_proto::LogBatch`]; absent when the position is asked for.
    #[serde(default)]
    pub(crate) position: Option<String>,
}

/// Why a request was not answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// What is wrong and what to do.
    pub(crate) reason: String,
}
