//! The node's end of the link to a control plane elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, IdSource};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use node_proto::{
    ControlPlane, CredentialError, CredentialRequest, DesiredSet, LinkError, LogBatch, LogSink,
    LogSinkError, LogSource, RefusedAttempts, Registration, RoleCredentials, TagsRequest,
    TaskReport, TaskTags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backoff::Backoff;
use crate::channel::{CallError, Channel, Credentials, Endpoint, Pool};
use crate::frames;
use crate::membership::{Membership, MembershipError};
use crate::messages::{
    CALL_TIMEOUT, LogHead, POLL, PollRequest, REQUEST_TIMEOUT, RegisterAnswer, path,
};

/// How often it is looked whether the certificate is half over.
const RENEWAL_LOOK: Duration = Duration::from_secs(60);

/// A control plane elsewhere. Dropping it ends its connections.
#[derive(Debug)]
pub struct RemoteControlPlane {
    inner: Arc<Inner>,
    /// Follows the desired set, and renews the certificate.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    credentials: Arc<Credentials>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    polls: Channel,
    calls: Channel,
    logs: Channel,
    /// For calls that tasks make.
    task_calls: Pool,
    /// Why the control plane will not have this node any more.
    ended: watch::Sender<Option<String>>,
}

impl RemoteControlPlane {
    /// Connects when there is something to say. Renews the certificate by itself.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub fn new(
        endpoint: Endpoint,
        membership: Membership,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, MembershipError> {
        let credentials = Arc::new(Credentials::new(membership.client_config()?));
        let channel = || Channel::new(endpoint.clone(), Arc::clone(&credentials));
        let (polls, calls, logs) = (channel(), channel(), channel());
        let task_calls = Pool::new(endpoint.clone(), Arc::clone(&credentials));
        let ended = watch::Sender::new(None);
        let inner =
            Inner { endpoint, credentials, clock, ids, polls, calls, logs, task_calls, ended };
        let inner = Arc::new(inner);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inner).renew(membership));
        Ok(Self { inner, tasks: Mutex::new(tasks) })
    }

    /// Waits until the control plane will not have this node any more; why.
    pub async fn ended(&self) -> String {
        let mut ended = self.inner.ended.subscribe();
        // The sender lives as long as this does.
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Brings a call of a task to the control plane, once.
    pub(crate) async fn task_call(&self, body: Bytes) -> Result<Bytes, CallError> {
        let answer = self.inner.task_calls.post(path::TASK_CALL, body, CALL_TIMEOUT).await?;
        answer.ok_or_else(|| CallError::Unavailable("the control plane is ending".to_owned()))
    }

    /// Registers, as often as it takes, and follows the desired set from then on.
    async fn begin(
        &self,
        registration: Registration,
    ) -> Result<watch::Receiver<Arc<DesiredSet>>, LinkError> {
        let mut backoff = Backoff::new(Arc::clone(&self.inner.ids));
        let answer = loop {
            match self.inner.register(&registration).await {
                Ok(answer) => break answer,
                Err(LinkError::Refused { reason }) => return Err(LinkError::Refused { reason }),
                Err(LinkError::Unavailable { reason }) => {
                    tracing::warn!(reason, "not registered yet: trying again");
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        };
        tracing::info!(control_plane = %self.inner.endpoint, "registered");
        let RegisterAnswer { session, desired } = answer;
        let after = desired.generation;
        let sender = watch::Sender::new(desired);
        let receiver = sender.subscribe();
        let follower = Follower {
            inner: Arc::clone(&self.inner),
            registration,
            session,
            after,
            sender,
            backoff,
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(follower.run());
        Ok(receiver)
    }
}

impl Inner {
    async fn register(&self, registration: &Registration) -> Result<RegisterAnswer, LinkError> {
        self.call(&self.calls, path::REGISTER, registration, REQUEST_TIMEOUT).await.map_err(of_call)
    }

    /// A request that is answered with a value.
    async fn call<In: Serialize + Sync, Out: DeserializeOwned>(
        &self,
        channel: &Channel,
        path: &str,
        input: &In,
        limit: Duration,
    ) -> Result<Out, CallError> {
        let body = channel.post(path, encode(input)?, limit).await?;
        serde_json::from_slice(&body.unwrap_or_default()).map_err(|error| {
            CallError::Unavailable(format!("the answer to {path} cannot be read: {error}"))
        })
    }

    /// A request that is only acknowledged.
    async fn tell<In: Serialize + Sync>(&self, path: &str, input: &In) -> Result<(), CallError> {
        self.calls.post(path, encode(input)?, REQUEST_TIMEOUT).await.map(drop)
    }

    /// Renews the certificate each time half of it is over.
    async fn renew(self: Arc<Self>, mut membership: Membership) {
        loop {
            let left_ms =
                membership.renew_at().as_epoch_ms().saturating_sub(self.clock.now().as_epoch_ms());
            let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
            if !left.is_zero() {
                // The clock may be set meanwhile.
                tokio::time::sleep(left.min(RENEWAL_LOOK)).await;
                continue;
            }
            match self.renew_once(&mut membership).await {
                Ok(()) => tracing::info!("the node's certificate was renewed"),
                Err(reason) => {
                    tracing::warn!(reason, "the node's certificate is not renewed yet");
                    tokio::time::sleep(RENEWAL_LOOK).await;
                }
            }
        }
    }

    async fn renew_once(&self, membership: &mut Membership) -> Result<(), String> {
        let answer = self.call(&self.calls, path::RENEW, &(), REQUEST_TIMEOUT).await;
        membership
            .renew(answer.map_err(|error| error.to_string())?)
            .map_err(|error| error.to_string())?;
        let config = membership.client_config().map_err(|error| error.to_string())?;
        self.credentials.replace(config);
        Ok(())
    }
}

/// Brings the desired set, from one session after the other.
struct Follower {
    inner: Arc<Inner>,
    registration: Registration,
    session: u64,
    /// The generation of the last set, as the control plane counts.
    after: u64,
    sender: watch::Sender<Arc<DesiredSet>>,
    backoff: Backoff,
}

impl Follower {
    async fn run(mut self) {
        loop {
            match self.poll().await {
                Ok(()) => self.backoff.reset(),
                Err(CallError::Refused(StatusCode::FORBIDDEN, reason)) => {
                    tracing::error!(reason, "the control plane refuses this node");
                    self.inner.ended.send_replace(Some(reason));
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the control plane is not there: trying again");
                    tokio::time::sleep(self.backoff.next()).await;
                }
            }
        }
    }

    async fn poll(&mut self) -> Result<(), CallError> {
        let request = PollRequest { session: self.session, after: self.after };
        let limit = POLL.saturating_add(REQUEST_TIMEOUT);
        match self.inner.polls.post(path::DESIRED, encode(&request)?, limit).await {
            Ok(None) => Ok(()),
            Ok(Some(body)) => {
                let set = serde_json::from_slice(&body)
                    .map_err(|error| CallError::Unavailable(error.to_string()))?;
                self.take(set);
                Ok(())
            }
            Err(CallError::Refused(StatusCode::CONFLICT, _)) => {
                let inner = &self.inner;
                let registration = &self.registration;
                let answer: RegisterAnswer =
                    inner.call(&inner.calls, path::REGISTER, registration, REQUEST_TIMEOUT).await?;
                tracing::info!("registered again");
                self.session = answer.session;
                self.take(Arc::unwrap_or_clone(answer.desired));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Passes a set on. A control plane that was started again may count from a lower number: what
    /// it says now is newer all the same, because one answer follows the other.
    fn take(&mut self, mut set: DesiredSet) {
        self.after = set.generation;
        self.sender.send_modify(|known| {
            set.generation = set.generation.max(known.generation.saturating_add(1));
            *known = Arc::new(set);
        });
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, CallError> {
    let encoded = serde_json::to_vec(value);
    encoded.map(Bytes::from).map_err(|error| CallError::Unavailable(error.to_string()))
}

fn of_call(error: CallError) -> LinkError {
    match error {
        CallError::Stranger(reason) | CallError::Unavailable(reason) => {
            LinkError::Unavailable { reason }
        }
        CallError::Refused(_, reason) => LinkError::Refused { reason },
    }
}

impl ControlPlane for RemoteControlPlane {
    fn register(
        &self,
        registration: Registration,
    ) -> BoxFuture<'_, Result<watch::Receiver<Arc<DesiredSet>>, LinkError>> {
        Box::pin(self.begin(registration))
    }

    fn report(&self, reports: Vec<TaskReport>) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move { self.inner.tell(path::REPORT, &reports).await.map_err(of_call) })
    }

    fn credentials(
        &self,
        request: CredentialRequest,
    ) -> BoxFuture<'_, Result<RoleCredentials, CredentialError>> {
        Box::pin(async move {
            let inner = &self.inner;
            let answer =
                inner.call(&inner.calls, path::CREDENTIALS, &request, REQUEST_TIMEOUT).await;
            match answer {
                Ok(outcome) => outcome,
                Err(CallError::Refused(_, reason)) => Err(CredentialError::Refused { reason }),
                Err(CallError::Stranger(reason) | CallError::Unavailable(reason)) => {
                    Err(CredentialError::Unavailable { reason })
                }
            }
        })
    }

    fn refused(&self, attempts: RefusedAttempts) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move { self.inner.tell(path::REFUSED, &attempts).await.map_err(of_call) })
    }

    fn tags(&self, request: TagsRequest) -> BoxFuture<'_, Result<TaskTags, LinkError>> {
        Box::pin(async move {
            let inner = &self.inner;
            inner.call(&inner.calls, path::TAGS, &request, REQUEST_TIMEOUT).await.map_err(of_call)
        })
    }
}

fn of_log_call(error: CallError) -> LogSinkError {
    match error {
        CallError::Stranger(reason) | CallError::Unavailable(reason) => {
            LogSinkError::Unreachable(reason)
        }
        CallError::Refused(_, reason) => LogSinkError::Failed(reason),
    }
}

fn head(source: &LogSource, batch: Option<LogBatch<'_>>) -> LogHead {
    LogHead {
        task_id: source.task_id.clone(),
        container: source.container.clone(),
        after: batch.and_then(|batch| batch.after).map(ToOwned::to_owned),
        position: batch.map(|batch| batch.position.to_owned()),
    }
}

impl LogSink for RemoteControlPlane {
    fn position<'a>(
        &'a self,
        source: &'a LogSource,
    ) -> BoxFuture<'a, Result<Option<String>, LogSinkError>> {
        Box::pin(async move {
            let (inner, head) = (&self.inner, head(source, None));
            let asked = inner.call(&inner.logs, path::LOG_POSITION, &head, REQUEST_TIMEOUT).await;
            asked.map_err(of_log_call)
        })
    }

    fn append<'a>(
        &'a self,
        source: &'a LogSource,
        batch: LogBatch<'a>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        Box::pin(async move {
            let head = serde_json::to_string(&head(source, Some(batch)))
                .map_err(|error| LogSinkError::Failed(error.to_string()))?;
            let body = frames::encode(&head, batch.lines);
            let sent = self.inner.logs.post(path::LOG_APPEND, body, REQUEST_TIMEOUT).await;
            sent.map(drop).map_err(of_log_call)
        })
    }
}
