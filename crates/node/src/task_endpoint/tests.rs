use std::net::Ipv4Addr;
use std::sync::Mutex;

use base::{ManualClock, SeededIds, Timestamp};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use node_proto::{CredentialError, Purpose, RefusalReason, RefusedAttempts};
use serde_json::{Value, json};
use task_engine::ContainerPhase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::*;
use crate::test_support::{FakeControlPlane, FakeRuntime, ROLE, assignment, ready_state};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// Two tasks, `a` at [`FIRST`] and `b` at [`SECOND`], that the control plane knows.
struct World {
    endpoint: Arc<Endpoint>,
    control_plane: Arc<FakeControlPlane>,
    clock: Arc<ManualClock>,
    refused: mpsc::UnboundedReceiver<RefusedAttempts>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_epoch_ms(1_000_000)));
        let (sender, refused) = mpsc::unbounded_channel();
        let control_plane = Arc::new(FakeControlPlane {
            clock: Arc::clone(&clock),
            asked: Mutex::default(),
            answer: Mutex::default(),
            refused: sender,
        });
        let directory = tempfile::tempdir().unwrap();
        let tokens = TaskTokens::open(directory.path(), &SeededIds::new(1)).unwrap();
        let dyn_plane: Arc<dyn ControlPlane> = Arc::<FakeControlPlane>::clone(&control_plane);
        let dyn_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let keeper =
            RoleKeeper::new(Arc::clone(&dyn_plane), Arc::clone(&dyn_clock), "n".to_owned());
        let endpoint = Arc::new(Endpoint {
            tasks: Arc::default(),
            keeper: Arc::new(keeper),
            tokens: Arc::new(tokens),
            refusals: Arc::default(),
            runtime: Arc::new(FakeRuntime),
            control_plane: dyn_plane,
            clock: dyn_clock,
            instance_id: "n".to_owned(),
            zone: "zone-a".to_owned(),
        });
        let world = Self { endpoint, control_plane, clock, refused };
        for (task, address) in [("a", FIRST), ("b", SECOND)] {
            let assignment = Arc::new(assignment(task));
            let mut state = ready_state(&assignment, &address.to_string());
            state.containers[0].phase = ContainerPhase::Running;
            assert!(world.endpoint.tasks.publish(&assignment, &state));
            world.endpoint.keeper.expect(task);
        }
        world.endpoint.tasks.reported(["a", "b"]);
        world
    }

    fn path(&self, task: &str) -> String {
        format!("/v2/credentials/{}", self.endpoint.tokens.credentials_id(task))
    }

    fn token(&self, task: &str, container: &str) -> String {
        self.endpoint.tokens.token(task, &format!("{task}-{container}"))
    }

    async fn ask(&self, peer: Ipv4Addr, request: http::request::Builder) -> (StatusCode, Value) {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let answer = self.endpoint.answer(peer, &head).await;
        assert!(!answer.status().is_redirection());
        assert_eq!(answer.headers()["content-type"], "application/json");
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(FIRST, request(path)).await
    }

    /// What the control plane was told, by reason.
    async fn told(&mut self) -> Vec<(RefusalReason, u64)> {
        let plane: Arc<dyn ControlPlane> = Arc::<FakeControlPlane>::clone(&self.control_plane);
        let endpoint = Arc::clone(&self.endpoint);
        tokio::select! {
            () = endpoint.refusals.run(plane, "n".to_owned()) => unreachable!(),
            told = self.refused.recv() => {
                let told = told.unwrap();
                assert_eq!(told.instance_id, "n");
                told.attempts.iter().map(|attempt| (attempt.reason, attempt.count)).collect()
            }
        }
    }
}

fn request(path: &str) -> http::request::Builder {
    Request::builder().uri(path).header("host", "169.254.170.2")
}

#[tokio::test]
async fn a_container_gets_its_tasks_credentials_with_its_token() {
    let world = World::new();
    for container in ["web", "log"] {
        let token = world.token("a", container);
        let asked = request(&world.path("a")).header("authorization", token);
        let (status, body) = world.ask(FIRST, asked).await;
        assert_eq!(status, StatusCode::OK);
        let expected = json!({
            "RoleArn": ROLE, "AccessKeyId": "ASIA1", "SecretAccessKey": "secret",
            "Token": "session", "Expiration": "1970-01-01T01:16:40.000Z",
        });
        assert_eq!(body, expected, "the same session for both");
    }
    assert_eq!(*world.control_plane.asked.lock().unwrap(), [Purpose::TaskRole]);
}

#[tokio::test]
async fn everything_else_gets_the_same_refusal_and_is_told() {
    let mut world = World::new();
    let path = world.path("a");
    let (right, other) = (world.token("a", "web"), world.token("b", "web"));
    let with = |token: &str| request(&path).header("authorization", token);
    let bare = |host: &str| Request::builder().uri(&path).header("host", host);
    let authorized = |asked: http::request::Builder| asked.header("authorization", &right);
    use RefusalReason::*;
    let attempts = vec![
        (request(&path), NoToken),
        (request(&format!("{path}?token={right}")), NoToken),
        (with(""), WrongToken),
        (with(&other), WrongToken),
        (with(right.get(1..).unwrap()), WrongToken),
        (with(&format!("Bearer {right}")), WrongToken),
        (with(&right).header("authorization", &right), WrongToken),
        (request(&world.path("b")).header("authorization", &other), ForeignTask),
        (request(&world.path("b")).header("authorization", &right), ForeignTask),
        (authorized(request("/v2/credentials/")), ForeignTask),
        (request("/v4/b-web/task"), ForeignTask),
        (authorized(Request::builder().uri(&path)), WrongHost),
        (authorized(bare("evil.example")), WrongHost),
        (authorized(bare("169.254.170.2:80")), WrongHost),
        (authorized(bare("169.254.170.2.")), WrongHost),
        (authorized(bare("169.254.170.2").header("host", "169.254.170.2")), WrongHost),
        (authorized(request(&format!("http://evil.example{path}"))), WrongHost),
        (with(&right).header("x-forwarded-for", "10.0.0.1"), Forwarded),
        (with(&right).header("X-Forwarded-For", ""), Forwarded),
        (with(&right).method(Method::PUT), WrongMethod),
        (with(&right).method(Method::HEAD), WrongMethod),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (asked, reason) in attempts {
        let shown = format!("{asked:?}");
        let (status, body) = world.ask(FIRST, asked).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{shown}");
        let denied = json!({"code": "AccessDeniedException", "message": "access denied", "HTTPErrorCode": 403});
        assert_eq!(body, denied, "{shown}");
        *expected.entry(reason).or_insert(0) += 1;
    }
    assert!(world.control_plane.asked.lock().unwrap().is_empty());
    assert_eq!(world.told().await, Vec::from_iter(expected));
    // The right token from the wrong place: another task, and an address that no task has.
    for peer in [SECOND, Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::LOCALHOST] {
        let (status, _) = world.ask(peer, with(&right)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{peer}");
    }
    assert_eq!(world.told().await, [(ForeignTask, 1)]);
}

#[tokio::test]
async fn credentials_wait_until_the_control_plane_knows_where_the_task_is() {
    let world = World::new();
    let late = Arc::new(assignment("late"));
    let address = Ipv4Addr::new(127, 0, 0, 7);
    assert!(world.endpoint.tasks.publish(&late, &ready_state(&late, &address.to_string())));
    world.endpoint.keeper.expect("late");
    let asked = request(&world.path("late")).header("authorization", world.token("late", "web"));
    let mut answer = std::pin::pin!(world.ask(address, asked));
    tokio::select! {
        biased;
        early = &mut answer => panic!("{early:?}"),
        () = std::future::ready(()) => {}
    }
    world.endpoint.tasks.reported(["late"]);
    assert_eq!(answer.await.0, StatusCode::OK);
}

#[tokio::test]
async fn credentials_are_renewed_before_they_end_and_end_with_their_task() {
    let world = World::new();
    let key = async || {
        let asked = request(&world.path("a")).header("authorization", world.token("a", "web"));
        world.ask(FIRST, asked).await
    };
    let renew = async || {
        tokio::select! {
            biased;
            () = world.endpoint.keeper.run(&world.endpoint.tasks) => unreachable!(),
            () = std::future::ready(()) => {}
        }
    };
    assert_eq!(key().await.1["AccessKeyId"], "ASIA1");
    // `b` has none yet; those of `a` are good for an hour.
    renew().await;
    assert_eq!(key().await.1["AccessKeyId"], "ASIA1");
    world.clock.advance_ms(44 * 60 * 1000);
    renew().await;
    assert_eq!(key().await.1["AccessKeyId"], "ASIA1");
    world.clock.advance_ms(2 * 60 * 1000);
    renew().await;
    let (_, body) = key().await;
    assert_eq!(body["AccessKeyId"], "ASIA3");
    // A control plane that is away does no harm while they last.
    let unavailable = CredentialError::Unavailable { reason: "away".to_owned() };
    *world.control_plane.answer.lock().unwrap() = Some(unavailable);
    world.clock.advance_ms(59 * 60 * 1000);
    renew().await;
    assert_eq!(key().await.1["AccessKeyId"], "ASIA3");
    world.clock.advance_ms(60 * 1000);
    assert_eq!(key().await.0, StatusCode::SERVICE_UNAVAILABLE);

    let over = Arc::new(assignment("a"));
    let mut state = ready_state(&over, &FIRST.to_string());
    for container in &mut state.containers {
        container.phase = ContainerPhase::Stopped;
    }
    assert!(!world.endpoint.tasks.publish(&over, &state));
    assert_eq!(key().await.0, StatusCode::FORBIDDEN);
    world.endpoint.keeper.forget("a");
    let gone = world.endpoint.keeper.current("a").await;
    assert!(matches!(gone, Err(CredentialError::Refused { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_task_whose_role_cannot_be_assumed_is_told_so_at_its_start() {
    let world = World::new();
    let mut wanted = assignment("c");
    wanted.spec.execution_role_arn = Some("arn:aws:iam::000000000000:role/start".to_owned());
    world.endpoint.keeper.begin(&wanted).await.unwrap();
    let asked = world.control_plane.asked.lock().unwrap().clone();
    assert_eq!(asked, [Purpose::ExecutionRole, Purpose::TaskRole]);
    let reason = "there is no such role".to_owned();
    let error = CredentialError::NotAssumable { role_arn: ROLE.to_owned(), reason };
    *world.control_plane.answer.lock().unwrap() = Some(error);
    let error = world.endpoint.keeper.begin(&assignment("d")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("ECS was unable to assume the role '{ROLE}'")), "{error}");
}

#[tokio::test]
async fn metadata_is_the_tasks_own() {
    let world = World::new();
    let (status, container) = world.get("/v4/a-web").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(container["DockerId"], "a-web");
    assert_eq!(container["KnownStatus"], "RUNNING");
    assert_eq!(container["ContainerARN"], "arn:aws:ecs:eu-west-1:000000000000:container/c/a/a-web");
    assert_eq!(container["Networks"][0]["IPv4Addresses"], json!(["127.0.0.5"]));
    assert_eq!(container["Labels"]["com.amazonaws.ecs.task-definition-version"], "3");
    let (_, task) = world.get("/v4/a-log/task").await;
    assert_eq!(
        (&task["TaskARN"], &task["Family"], &task["Revision"], &task["ServiceName"]),
        (&json!(assignment("a").task_arn), &json!("f"), &json!("3"), &json!("shop"))
    );
    assert_eq!(task["Limits"], json!({"CPU": 0.5}));
    assert_eq!(task["AvailabilityZone"], "zone-a");
    assert_eq!(task["Containers"][0], container);
    assert!(task.get("TaskTags").is_none());
    let (_, tagged) = world.get("/v4/a-web/taskWithTags").await;
    assert_eq!(tagged["TaskTags"], json!({"team": "blue"}));
    let (_, stats) = world.get("/v4/a-web/stats").await;
    assert_eq!(stats["cpu_stats"]["cpu_usage"]["total_usage"], 7);
    assert_eq!(stats["memory_stats"], json!({"usage": 8, "limit": 32 << 20}));
    let (_, all) = world.get("/v4/a-web/task/stats").await;
    assert_eq!((&all["a-web"], &all["a-log"]), (&stats, &Value::Null));
    for nowhere in ["/", "/v4", "/v3/a-web", "/v4/a-web/", "/v4/a-web/else", "/latest/meta-data/"] {
        assert_eq!(world.get(nowhere).await.0, StatusCode::NOT_FOUND, "{nowhere}");
    }
}

#[tokio::test]
async fn a_task_that_asks_too_often_has_to_wait_and_others_have_not() {
    let world = World::new();
    for _ in 0..60 {
        assert_eq!(world.get("/v4/a-web").await.0, StatusCode::OK);
    }
    let (status, body) = world.get("/v4/a-web").await;
    assert_eq!((status, &body["HTTPErrorCode"]), (StatusCode::TOO_MANY_REQUESTS, &json!(429)));
    assert_eq!(world.ask(SECOND, request("/v4/b-web")).await.0, StatusCode::OK);
    world.clock.advance_ms(25);
    assert_eq!(world.get("/v4/a-web").await.0, StatusCode::OK);
}

/// What comes back for these bytes from this address.
async fn exchange(from: Ipv4Addr, port: u16, bytes: &[u8]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
    let mut answer = Vec::new();
    // Whom it does not know it does not listen to: the connection may be gone before it is written to.
    if stream.write_all(bytes).await.is_ok() {
        let _reset = stream.read_to_end(&mut answer).await;
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn connections_are_of_tasks_short_and_plain() {
    let world = World::new();
    let listener = TaskListener::bind("127.0.0.0/8".parse().unwrap()).await.unwrap();
    let port = listener.port().unwrap();
    let serving = tokio::spawn(Arc::clone(&world.endpoint).serve(listener));
    let get = b"GET /v4/a-web HTTP/1.1\r\nHost: 169.254.170.2\r\n\r\n";
    let answer = exchange(FIRST, port, get).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // 127.0.0.1 is the subnet's host.
    assert_eq!(exchange(Ipv4Addr::LOCALHOST, port, get).await, "");
    let twice = [&get[..], &get[..]].concat();
    assert_eq!(exchange(FIRST, port, &twice).await.matches("HTTP/1.1").count(), 1);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    assert!(exchange(FIRST, port, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(MAX_HEADER_BYTES));
    assert!(!exchange(FIRST, port, long.as_bytes()).await.starts_with("HTTP/1.1 2"));
    serving.abort();
}
