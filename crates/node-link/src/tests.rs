//! A control plane and machines that join it, over real connections on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::{Clock, IdSource, ManualClock, SeededIds, Timestamp};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use iam::JoinToken;
use node_proto::*;
use rustls::ClientConfig;
use state::{Change, State};
use store::{HistoryLimits, MemoryStore, NoFaults};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::channel::{CallError, Channel, Credentials};
use crate::messages::path;
use crate::*;

mod domain_records;
mod task_link;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const LIMIT: Duration = Duration::from_secs(20);

/// Stands for what is behind the listener, and for the record.
#[derive(Debug)]
struct Behind {
    desired: watch::Sender<Arc<DesiredSet>>,
    reports: Mutex<Vec<TaskReport>>,
    lines: Mutex<Vec<(LogSource, String)>>,
    events: Mutex<Vec<NodeEvent>>,
    calls: Mutex<Vec<TaskCall>>,
}

impl ControlPlane for Behind {
    fn register(
        &self,
        _registration: Registration,
    ) -> BoxFuture<'_, Result<watch::Receiver<Arc<DesiredSet>>, LinkError>> {
        Box::pin(async { Ok(self.desired.subscribe()) })
    }

    fn report(&self, reports: Vec<TaskReport>) -> BoxFuture<'_, Result<(), LinkError>> {
        self.reports.lock().unwrap().extend(reports);
        Box::pin(async { Ok(()) })
    }

    fn credentials(
        &self,
        request: CredentialRequest,
    ) -> BoxFuture<'_, Result<RoleCredentials, CredentialError>> {
        Box::pin(async move { Err(CredentialError::Refused { reason: request.task_id }) })
    }

    fn refused(&self, _attempts: RefusedAttempts) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async { Ok(()) })
    }

    fn tags(&self, _request: TagsRequest) -> BoxFuture<'_, Result<TaskTags, LinkError>> {
        Box::pin(async { Ok(TaskTags::default()) })
    }
}

impl LogSink for Behind {
    fn position<'a>(
        &'a self,
        _source: &'a LogSource,
    ) -> BoxFuture<'a, Result<Option<String>, LogSinkError>> {
        Box::pin(async { Ok(Some("1@0:0".to_owned())) })
    }

    fn append<'a>(
        &'a self,
        source: &'a LogSource,
        batch: LogBatch<'a>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        let lines = batch.lines.iter();
        let lines = lines.map(|line| String::from_utf8_lossy(line.message).into_owned());
        let mut kept = self.lines.lock().unwrap();
        kept.extend(lines.map(|line| (source.clone(), line)));
        Box::pin(async { Ok(()) })
    }
}

impl NodeAudit for Behind {
    fn record(&self, event: NodeEvent) -> BoxFuture<'_, Result<(), String>> {
        self.events.lock().unwrap().push(event);
        Box::pin(async { Ok(()) })
    }
}

/// A control plane that takes nodes.
struct World {
    state: Arc<State>,
    clock: Arc<ManualClock>,
    ids: Arc<dyn IdSource>,
    behind: Arc<Behind>,
    address: SocketAddr,
    authority_digest: String,
    directory: TempDir,
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are verified at the machine's own time"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_epoch_ms(i64::try_from(since.as_millis()).unwrap())
}

impl World {
    async fn new() -> Self {
        let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        let clock = Arc::new(ManualClock::new(now()));
        let ids: Arc<dyn IdSource> = Arc::new(SeededIds::new(7));
        let directory = tempfile::tempdir().unwrap();
        let authority =
            NodeAuthority::open(&directory.path().join("authority"), clock.now()).unwrap();
        let authority_digest = authority.digest().to_owned();
        let behind = Arc::new(Behind {
            desired: watch::Sender::new(Arc::default()),
            reports: Mutex::default(),
            lines: Mutex::default(),
            events: Mutex::default(),
            calls: Mutex::default(),
        });
        let dependencies = ListenerDependencies {
            state: Arc::clone(&state),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::clone(&ids),
            control_plane: Arc::clone(&behind) as Arc<dyn ControlPlane>,
            logs: Arc::clone(&behind) as Arc<dyn LogSink>,
            task_calls: Arc::clone(&behind) as Arc<dyn TaskCalls>,
            audit: Arc::clone(&behind) as Arc<dyn NodeAudit>,
        };
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = NodeListener::bind(any, authority, dependencies).await.unwrap();
        let address = listener.address();
        tokio::spawn(listener.serve(std::future::pending()));
        Self { state, clock, ids, behind, address, authority_digest, directory }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&format!("https://{}", self.address)).unwrap()
    }

    async fn commit(&self, build: impl FnOnce(&state::View, &mut Change)) {
        let mut change = Change::new();
        build(&self.state.view(), &mut change);
        self.state.commit(change).await.unwrap();
    }

    /// A token that is good for an hour.
    async fn token(&self) -> JoinTokenText {
        let text = JoinTokenText::generate(self.ids.as_ref(), self.authority_digest.clone());
        let now = self.clock.now();
        let token = JoinToken {
            id: text.id().to_owned(),
            secret_digest: text.secret_digest(),
            cluster: "edge".to_owned(),
            created_by: "arn:aws:iam::123456789012:root".to_owned(),
            created_at: now,
            expires_at: now.plus_seconds(3600),
            used_by: None,
        };
        self.commit(|_, change| change.create(&token)).await;
        text
    }

    fn node_directory(&self, node: &str) -> std::path::PathBuf {
        self.directory.path().join(node)
    }

    async fn join(
        &self,
        token: &JoinTokenText,
        id: &str,
        dir: &Path,
    ) -> Result<Membership, JoinError> {
        join(&self.endpoint(), token, id, dir, Arc::clone(&self.ids)).await
    }

    /// A machine that has joined.
    async fn member(&self, id: &str) -> Membership {
        let token = self.token().await;
        self.join(&token, id, &self.node_directory(id)).await.unwrap()
    }

    fn remote(&self, membership: &Membership) -> RemoteControlPlane {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let ids = Arc::clone(&self.ids);
        RemoteControlPlane::new(self.endpoint(), membership.clone(), clock, ids).unwrap()
    }

    fn channel(&self, config: ClientConfig) -> Channel {
        Channel::new(self.endpoint(), Arc::new(Credentials::new(config)))
    }

    async fn revoke(&self, id: &str) {
        self.commit(|view, change| {
            let row = view.identities().node_identity(id).unwrap();
            let mut identity = row.value.as_ref().clone();
            identity.revoked = true;
            change.update(row, &identity);
        })
        .await;
    }

    fn events(&self, kind: NodeEventKind) -> Vec<NodeEvent> {
        let events = self.behind.events.lock().unwrap();
        events.iter().filter(|event| event.kind == kind).cloned().collect()
    }
}

fn registration(id: &str, cluster: &str) -> Registration {
    Registration {
        protocol_version: PROTOCOL_VERSION,
        instance_id: id.to_owned(),
        cluster: cluster.to_owned(),
        ec2_instance_id: "i-1".to_owned(),
        agent_version: "1.0.0".to_owned(),
        resources: domain::Resources::default(),
        attributes: Vec::new(),
        fargate_isolation: None,
        system: Vec::new(),
    }
}

/// The words of a refusal.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, JoinError>) -> String {
    match outcome {
        Err(JoinError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_joins_and_follows_its_desired_set() {
    let world = World::new().await;
    let membership = world.member(A).await;
    assert_eq!((membership.instance_id(), membership.cluster()), (A, "edge"));
    let again = Membership::open(&world.node_directory(A)).unwrap().unwrap();
    assert!(
        !again.is_over(world.clock.now()) && again.is_over(world.clock.now().plus_seconds(86_400))
    );
    let remote = world.remote(&again);
    let mut desired = remote.register(registration(A, "edge")).await.unwrap();
    assert_eq!(desired.borrow_and_update().generation, 0);
    world.behind.desired.send_replace(Arc::new(DesiredSet { generation: 9, tasks: Vec::new() }));
    tokio::time::timeout(LIMIT, desired.changed()).await.unwrap().unwrap();
    assert_eq!(desired.borrow_and_update().generation, 9);
    // What a control plane that counts from a lower number says is newer all the same.
    world.behind.desired.send_replace(Arc::new(DesiredSet { generation: 3, tasks: Vec::new() }));
    tokio::time::timeout(LIMIT, desired.changed()).await.unwrap().unwrap();
    assert_eq!(desired.borrow_and_update().generation, 10);
    let joined = world.events(NodeEventKind::Joined);
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].instance_id.as_deref(), Some(A));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_machines_with_one_token_one_joins() {
    let world = World::new().await;
    let token = world.token().await;
    let ids: Vec<String> = (0..6).map(|number| format!("{number:032}")).collect();
    let attempts = ids.iter().map(|id| {
        let directory = world.node_directory(id);
        let (world, token) = (&world, &token);
        async move { world.join(token, id, &directory).await }
    });
    let outcomes = join_all(attempts).await;
    let joined = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(joined, 1, "{outcomes:?}");
    assert_eq!(world.state.view().identities().node_identities().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_that_used_a_token_may_ask_again_and_no_other() {
    let world = World::new().await;
    let token = world.token().await;
    let directory = world.node_directory(A);
    world.join(&token, A, &directory).await.unwrap();
    // Its answer was lost.
    world.join(&token, A, &directory).await.unwrap();
    let thief = world.join(&token, A, &world.node_directory("thief")).await;
    assert!(refusal(thief).contains("unknown, expired or used"));
    let thief = world.join(&world.token().await, A, &world.node_directory("thief")).await;
    assert!(refusal(thief).contains("another key"), "an instance was taken over");
    let reasons: Vec<_> = world.events(NodeEventKind::JoinRefused);
    assert_eq!(reasons[0].reason.as_deref(), Some("the token was used before"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_worth_nothing_is_refused_in_the_same_words() {
    let world = World::new().await;
    let directory = world.node_directory(A);
    let unknown = JoinTokenText::generate(&SeededIds::new(99), world.authority_digest.clone());
    let expected = refusal(world.join(&unknown, A, &directory).await);
    let known = world.token().await;
    let text = known.text().replace(known.secret(), unknown.secret());
    let wrong = JoinTokenText::parse(&text).unwrap();
    assert_eq!(refusal(world.join(&wrong, A, &directory).await), expected);
    world.clock.advance_ms(3_600_000);
    assert_eq!(refusal(world.join(&known, A, &directory).await), expected);
    let reasons = world.events(NodeEventKind::JoinRefused);
    let reasons: Vec<_> = reasons.iter().filter_map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, ["the token is not known", "the secret is wrong", "the token has expired"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_tells_nothing_to_a_control_plane_that_its_token_does_not_name() {
    let (world, other) = (World::new().await, World::new().await);
    let token = world.token().await;
    let forged = token.text().replace(&world.authority_digest, &other.authority_digest);
    let forged = JoinTokenText::parse(&forged).unwrap();
    let outcome = world.join(&forged, A, &world.node_directory(A)).await;
    assert!(matches!(outcome, Err(JoinError::Stranger(_))), "{outcome:?}");
    assert_eq!(*world.behind.events.lock().unwrap(), []);
    assert!(Membership::open(&world.node_directory(A)).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_is_joining_and_nothing_else() {
    let world = World::new().await;
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(world.directory.path().join("authority/authority.pem")).unwrap();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let stranger = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stranger = world.channel(stranger);
    for path in [
        path::RENEW,
        path::REGISTER,
        path::DESIRED,
        path::REPORT,
        path::CREDENTIALS,
        path::REFUSED,
        path::TAGS,
        path::LOG_POSITION,
        path::LOG_APPEND,
        path::TASK_CALL,
        "/",
        "/v1/join/",
        "/metrics",
    ] {
        let outcome = stranger.post(path, Bytes::from_static(b"null"), LIMIT).await;
        let forbidden = matches!(outcome, Err(CallError::Refused(StatusCode::FORBIDDEN, _)));
        assert!(forbidden, "{path}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_gets_no_further_than_the_handshake() {
    let (world, other) = (World::new().await, World::new().await);
    let (here, there) = (world.member(A).await, other.member(A).await);
    let read = |world: &World| -> membership::Kept {
        let path = world.node_directory(A).join("membership.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut mixed = read(&other);
    mixed.authority = read(&world).authority;
    let key = membership::key(&other.node_directory(A)).unwrap();
    let mixed = Membership::keep(&other.node_directory(A), key, mixed).unwrap();
    let channel = world.channel(mixed.client_config().unwrap());
    let outcome = channel.post(path::RENEW, Bytes::from_static(b"null"), LIMIT).await;
    assert!(matches!(outcome, Err(CallError::Unavailable(_))), "{outcome:?}");
    drop((here, there));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_speaks_for_itself_and_its_own_tasks_only() {
    let world = World::new().await;
    let (a, _b) = (world.member(A).await, world.member(B).await);
    let (definition, mine, others) = domain_records::tasks(A, B, world.clock.now());
    world
        .commit(|_, change| {
            change.create(&definition);
            change.create(&mine);
            change.create(&others);
        })
        .await;
    let remote = world.remote(&a);
    let refused = |outcome: Result<(), LinkError>, what: &str| {
        assert!(matches!(outcome, Err(LinkError::Refused { .. })), "{what}: {outcome:?}");
    };
    refused(remote.register(registration(B, "edge")).await.map(drop), "another instance");
    refused(remote.register(registration(A, "prod")).await.map(drop), "another cluster");
    let (mine, others) = (mine.id, others.id);
    let report = |id: &str| domain_records::report(id, world.clock.now());
    refused(remote.report(vec![report(&mine), report(&others)]).await, "another's task");
    assert!(world.behind.reports.lock().unwrap().is_empty());
    remote.report(vec![report(&mine)]).await.unwrap();
    let tags = TagsRequest { instance_id: A.to_owned(), task_id: others.clone() };
    refused(remote.tags(tags).await.map(drop), "another's tags");
    let ask = |instance: &str, task: &str| CredentialRequest {
        instance_id: instance.to_owned(),
        task_id: task.to_owned(),
        purpose: Purpose::TaskRole,
    };
    for (instance, task) in [(A, &others), (B, &others), (B, &mine)] {
        let outcome = remote.credentials(ask(instance, task)).await;
        let Err(CredentialError::Refused { reason }) = outcome else { panic!("{outcome:?}") };
        assert!(reason.starts_with("it spo"), "{reason}");
    }
    let outcome = remote.credentials(ask(A, &mine)).await;
    assert_eq!(outcome, Err(CredentialError::Refused { reason: mine.clone() }), "asked, at least");
    // Output goes where the control plane says, whatever the node says.
    let target = LogTarget { group: "/aws/secret".to_owned(), stream: "s".to_owned() };
    let mut source = LogSource { task_id: others, container: "main".to_owned(), target };
    assert!(remote.position(&source).await.is_err());
    source.task_id = mine;
    let lines = [LogLine { timestamp_ms: 1, message: b"hello" }];
    let batch = LogBatch { after: None, position: "1@0:1", lines: &lines };
    remote.append(&source, batch).await.unwrap();
    let (stored, line) = world.behind.lines.lock().unwrap().remove(0);
    assert_eq!((stored.target.group.as_str(), line.as_str()), ("/ecs/web", "hello"));
    assert!(world.events(NodeEventKind::Refused).len() >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_is_out_at_once() {
    let world = World::new().await;
    let membership = world.member(A).await;
    let remote = world.remote(&membership);
    let mut desired = remote.register(registration(A, "edge")).await.unwrap();
    world.revoke(A).await;
    // It was waiting for news when it happened, and learns no more.
    world.behind.desired.send_replace(Arc::new(DesiredSet { generation: 9, tasks: Vec::new() }));
    let reason = tokio::time::timeout(LIMIT, remote.ended()).await.unwrap();
    assert!(reason.contains("revoked"), "{reason}");
    assert!(desired.changed().await.is_err(), "the follower is gone");
    assert_eq!(desired.borrow().generation, 0);
    let outcome = remote.report(Vec::new()).await;
    assert!(matches!(outcome, Err(LinkError::Refused { .. })), "{outcome:?}");
    let again = world.join(&world.token().await, A, &world.node_directory(A)).await;
    assert!(refusal(again).contains("revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_for_the_same_key() {
    let world = World::new().await;
    let membership = world.member(A).await;
    let before = world.state.view().identities().node_identity(A).unwrap().value.as_ref().clone();
    // Half of its time is over: the node renews by itself.
    world.clock.advance_ms(12 * 3_600_000);
    let remote = world.remote(&membership);
    let renewed = async {
        while world.events(NodeEventKind::CertificateRenewed).is_empty() {
            tokio::task::yield_now().await;
        }
        while Membership::open(&world.node_directory(A))
            .unwrap()
            .unwrap()
            .is_over(before.certificate_expires_at)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, renewed).await.unwrap();
    let after = world.state.view().identities().node_identity(A).unwrap().value.as_ref().clone();
    assert_eq!(after.key_digest, before.key_digest);
    assert!(after.certificate_expires_at > before.certificate_expires_at);
    drop(remote);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_too_often_has_to_wait() {
    let world = World::new().await;
    let unknown = JoinTokenText::generate(&SeededIds::new(99), world.authority_digest.clone());
    for _ in 0..10 {
        refusal(world.join(&unknown, A, &world.node_directory(A)).await);
    }
    let good = world.token().await;
    let directory = world.node_directory(A);
    let attempt = world.join(&good, A, &directory);
    // It waits and tries again; then the minute is over.
    let mut attempt = std::pin::pin!(attempt);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut attempt).await;
    assert!(early.is_err(), "{early:?}");
    world.clock.advance_ms(60_000);
    tokio::time::timeout(LIMIT, attempt).await.unwrap().unwrap();
}
