//! The gateway over real sockets.

#[cfg(test)]
mod support;

use std::time::Duration;

use gateway::{Config, Gateway, GatewayError, Limits, ServerTls, TaskLink};
use support::{Reply, Request, Server, TARGET, dependencies, finish_within, raw};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use wire::Recorded;

/// Sends `request` and expects a status, an error code and words of the message.
async fn check(server: &Server, request: Request, status: u16, code: &str, words: &str) -> Reply {
    let reply = request.send(server).await;
    assert_eq!(reply.status, status, "{reply:?}");
    assert!(reply.body.contains(code) && reply.body.contains(words), "{reply:?}");
    assert_eq!(reply.header("x-amzn-requestid").len(), 36, "{reply:?}");
    reply
}

#[tokio::test]
async fn a_signed_call_is_answered_with_its_request_id() {
    let server = Server::start(Limits::default()).await;
    let reply = check(&server, Request::json("Echo", "{}"), 200, "", "root").await;
    assert_eq!(reply.header("content-type"), "application/x-amz-json-1.1");
    assert!(reply.body.contains(reply.header("x-amzn-requestid")), "{reply:?}");
    assert!(!reply.header("date").is_empty(), "{reply:?}");
}

#[tokio::test]
async fn a_call_that_is_not_authentic_is_refused_in_the_words_of_its_protocol() {
    let server = Server::start(Limits::default()).await;
    let json = || Request::json("Echo", "{}");
    let query = || Request::query("Action=Speak&Version=2026-01-01");

    let code = "InvalidSignatureException";
    let reply = check(&server, json().secret("other"), 403, code, "does not match").await;
    assert_eq!(reply.header("x-amzn-errortype"), code);
    check(&server, query().secret("other"), 403, "<Code>SignatureDoesNotMatch", "").await;
    let missing = "MissingAuthenticationTokenException";
    check(&server, json().unsigned(), 403, missing, "Missing Authentication Token").await;
    check(&server, query().unsigned(), 403, "<Code>MissingAuthenticationToken<", "").await;
    check(&server, json().skewed(901), 403, code, "Signature not yet current").await;
    check(&server, json().skewed(-901), 403, code, "Signature expired").await;
    let invalid = "security token included in the request is invalid";
    check(&server, json().key("AKIDOTHER"), 403, "UnrecognizedClientException", invalid).await;
    check(&server, query().key("AKIDOTHER"), 403, "InvalidClientTokenId", invalid).await;
    check(&server, json().token("t"), 403, "UnrecognizedClientException", invalid).await;
    check(&server, json().scope("speech"), 403, code, "correct service: 'toys'").await;
    let late = json().sign_then_append("x-amz-target: Toys.Paint");
    check(&server, late, 400, "IncompleteSignatureException", "x-amz-target").await;
}

#[tokio::test]
async fn what_needs_no_signature_is_called_by_nobody() {
    let server = Server::start(Limits::default()).await;
    let form = "Action=Greet&Version=2026-01-01";
    check(&server, Request::query(form).unsigned(), 200, "<SpeakResponse", "").await;
    check(&server, Request::query("").get(form).unsigned(), 200, "<SpeakResponse", "").await;
    let missing = "<Code>MissingAuthenticationToken<";
    check(&server, Request::query(form).unsigned().path("/x"), 403, missing, "").await;
    let long = format!("{form}&Text={}", "x".repeat(64 * 1024));
    check(&server, Request::query(&long).unsigned(), 403, missing, "").await;
    check(&server, Request::query(form).secret("other"), 403, "SignatureDoesNotMatch", "").await;
}

#[tokio::test]
async fn an_operation_that_is_not_served_is_refused_by_name() {
    let server = Server::start(Limits::default()).await;
    let unknown = "UnknownOperationException";
    check(&server, Request::json("Nonsense", "{}"), 400, unknown, "no operation `Nonsense`").await;
    check(&server, Request::json("Paint", "{}"), 400, unknown, "`Paint` is an operation").await;
    let other = Request::json("Echo", "{}").target("Cars.Drive").scope("cars");
    check(&server, other, 400, unknown, "`Cars.Drive`; those served start with `Toys`").await;
    let other = Request::query("Action=Speak").scope("cars");
    check(&server, other, 400, "InvalidAction", "`speech`").await;
    check(&server, Request::query("Action=Sing"), 400, "InvalidAction", "`Sing`").await;
    check(&server, Request::query("a=b"), 400, "MissingAction", "").await;
    let version = Request::query("Action=Speak&Version=1999-01-01");
    check(&server, version, 400, "InvalidAction", "1999-01-01").await;
    let path = Request::json("Echo", "{}").path("/v1");
    check(&server, path, 404, unknown, "no path but `/`").await;
}

#[tokio::test]
async fn a_form_is_answered_in_xml_by_post_and_by_get() {
    let server = Server::start(Limits::default()).await;
    let form = "Action=Speak&Version=2026-01-01";
    let post = check(&server, Request::query(form), 200, "<SpeakResponse", "").await;
    assert_eq!(post.header("content-type"), "text/xml");
    check(&server, Request::query("").get(form), 200, "<SpeakResponse", "").await;
}

#[tokio::test]
async fn a_broken_body_is_a_clear_error() {
    let server = Server::start(Limits::default()).await;
    let bad = Request::json("Echo", "").bytes(b"{\"a\":\"\xff\"}".to_vec());
    check(&server, bad, 400, "SerializationException", "not UTF-8").await;
    check(&server, Request::json("Echo", "{"), 400, "SerializationException", "EOF").await;
    let deep = "[".repeat(100_000);
    check(&server, Request::json("Echo", &deep), 400, "SerializationException", "deeper").await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_gets_413_and_one_at_the_limit_is_served() {
    let server = Server::start(Limits::default()).await;
    let body = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    let limit = 10 * 1024 * 1024;
    check(&server, Request::json("Echo", &body(limit)), 200, "", "root").await;
    let code = "RequestEntityTooLargeException";
    for over in [limit + 1, 11 * 1024 * 1024] {
        check(&server, Request::json("Echo", &body(over)), 413, code, "10485760 bytes").await;
        let chunked = Request::json("Echo", &body(over)).chunked();
        check(&server, chunked, 413, code, "10485760 bytes").await;
    }
    let unsigned = Request::json("Echo", &body(11 * 1024 * 1024)).unsigned();
    check(&server, unsigned, 403, "MissingAuthenticationTokenException", "").await;
}

#[tokio::test]
async fn slow_and_oversized_clients_are_dropped() {
    let limits = Limits {
        header_timeout: Duration::from_millis(100),
        body_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    finish_within("the slow client's end", slow.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "{rest:?}");

    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let reply = Request::json("Echo", "{}").keep_alive().send_over(&mut idle, server.address).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let rest = finish_within("the idle client's end", idle.read_to_end(&mut Vec::new())).await;
    assert_eq!(rest.unwrap(), 0);

    let half = Request::json("Echo", "{}").announce_more(10);
    check(&server, half, 408, "RequestTimeoutException", "did not arrive").await;

    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for headers in [many, format!("x: {}\r\n", "y".repeat(300_000))] {
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let mut client = TcpStream::connect(server.address).await.unwrap();
        // The server may answer and close before it has read all of this.
        let _ = client.write_all(request.as_bytes()).await;
        let mut head = [0; 12];
        finish_within("431", client.read_exact(&mut head)).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 431");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_connections_are_all_served() {
    let server = Server::start(Limits { max_connections: 8, ..Limits::default() }).await;
    let calls = (0..100).map(|_| Request::json("Echo", "{}").send(&server));
    for reply in finish_within("100 calls", futures_util::future::join_all(calls)).await {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

#[tokio::test]
async fn requests_beyond_the_in_flight_limit_are_throttled() {
    let server = Server::start(Limits { max_in_flight: 0, ..Limits::default() }).await;
    check(&server, Request::json("Echo", "{}"), 400, "ThrottlingException", "Rate exceeded").await;
}

#[tokio::test]
async fn an_operation_finishes_when_its_client_has_gone() {
    let server = Server::start(Limits { max_in_flight: 1, ..Limits::default() }).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    Request::json("Wait", "{}").write(&mut client, server.address).await;
    finish_within("the call to start", server.started.notified()).await;
    drop(client);
    // The one permit is the running call's until it ends.
    check(&server, Request::json("Echo", "{}"), 400, "ThrottlingException", "").await;
    server.release.notify_one();
    finish_within("the call's end", async {
        while Request::json("Echo", "{}").send(&server).await.status != 200 {}
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let limits = Limits { write_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let request = Request::json("Shout", "{}").keep_alive();
    request.write(&mut client, server.address).await;
    let connections = Request::json("", "").unsigned().get("").path("/metrics").without(TARGET);
    finish_within("the connection's end", async {
        loop {
            let metrics = connections.send_to(server.address).await;
            // The one left is that of the metrics request itself.
            if metrics.body.contains("portcullis_gateway_connections 1\n")
                && metrics.body.contains("operation=\"Shout\"")
            {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_panicking_operation_is_an_internal_failure_and_the_connection_lives_on() {
    let server = Server::start(Limits::default()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    for (operation, status) in [("Panic", 500), ("Echo", 200)] {
        let request = Request::json(operation, "{}").keep_alive();
        let reply = request.send_over(&mut client, server.address).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn health_and_metrics_need_no_signature() {
    let server = Server::start(Limits::default()).await;
    check(&server, Request::json("Echo", "{}"), 200, "", "").await;
    check(&server, Request::json("Nonsense", "{}"), 400, "", "").await;
    let get = |path| Request::json("", "").unsigned().get("").path(path).without(TARGET);
    let health = get("/health").send(&server).await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let metrics = get("/metrics").send(&server).await;
    for line in [
        "portcullis_gateway_requests_total{service=\"toys\",operation=\"Echo\",code=\"200\"} 1",
        "portcullis_gateway_requests_total{service=\"toys\",operation=\"unknown\",code=\"400\"} 1",
        "portcullis_gateway_request_duration_seconds_count{service=\"toys\",operation=\"Echo\"} 1",
        "portcullis_gateway_connections ",
    ] {
        assert!(metrics.body.contains(line), "`{line}` is not in:\n{}", metrics.body);
    }
}

#[tokio::test]
async fn a_shutdown_lets_the_request_under_way_finish() {
    let mut server = Server::start(Limits::default()).await;
    let address = server.address;
    let call = tokio::spawn(async move { Request::json("Wait", "{}").send_to(address).await });
    finish_within("the call to start", server.started.notified()).await;
    server.stop.take().unwrap().send(()).unwrap();
    finish_within("the listener's end", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.release.notify_one();
    assert_eq!(finish_within("the call", call).await.unwrap().status, 200);
    finish_within("the gateway's end", server.task.take().unwrap()).await.unwrap();
}

#[tokio::test]
async fn other_addresses_than_loopback_need_tls() {
    let config = Config {
        listen: "0.0.0.0:0".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits::default(),
        tls: None,
        task_link: None,
    };
    let refused = Gateway::bind(config, dependencies().0).await;
    assert!(matches!(refused, Err(GatewayError::TlsRequired(_))), "{refused:?}");
}

#[tokio::test]
async fn tls_clients_that_trust_the_authority_are_served_also_after_a_restart() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("tls");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut authorities = Vec::new();
    for _ in 0..2 {
        let tls = ServerTls::create(&directory, &names, support::machine_time()).unwrap();
        authorities.push(std::fs::read(tls.authority_path()).unwrap());
        let server = Server::start_with(Limits::default(), Some(tls)).await;
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let reply =
                Request::json("Echo", "{}").send_tls(server.address, &directory, version).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }
    assert_eq!(authorities.first(), authorities.last());
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[tokio::test]
async fn every_routed_call_is_recorded_however_it_ends() {
    let server = Server::start(Limits::default()).await;
    let root = Some("arn:aws:iam::123456789012:root");
    for (request, status, operation, principal, code) in [
        (Request::json("Echo", "{}"), 200, "Echo", root, None),
        (Request::json("Echo", "{"), 400, "Echo", root, Some("SerializationException")),
        (Request::json("Panic", "{}"), 500, "Panic", root, Some("InternalFailure")),
        (Request::json("Paint", "{}"), 400, "Paint", root, Some("UnknownOperationException")),
        (
            Request::json("Echo", "{}").target("Cars.Drive"),
            400,
            "unknown",
            root,
            Some("UnknownOperationException"),
        ),
        (
            Request::json("Echo", "{}").secret("other"),
            403,
            "Echo",
            None,
            Some("InvalidSignatureException"),
        ),
        (
            Request::json("Echo", "{}").key("AKIDOTHER"),
            403,
            "Echo",
            None,
            Some("UnrecognizedClientException"),
        ),
        (
            Request::json("Echo", "{}").unsigned(),
            403,
            "Echo",
            None,
            Some("MissingAuthenticationTokenException"),
        ),
        (
            Request::query("Action=Speak&Version=2026-01-01").secret("other"),
            403,
            "Speak",
            None,
            Some("SignatureDoesNotMatch"),
        ),
    ] {
        let reply = request.send(&server).await;
        let record = server.records.calls.lock().unwrap().pop().unwrap();
        assert_eq!((reply.status, record.operation), (status, operation), "{reply:?}");
        let arn = record.who.principal.as_ref().map(|principal| principal.arn.as_str());
        assert_eq!(arn, principal, "{record:?}");
        let found = record.error.as_ref().map(|error| error.code.as_ref());
        assert_eq!(found, code, "{record:?}");
        assert_eq!(*record.request_id, *reply.header("x-amzn-requestid"), "{record:?}");
        assert_eq!(record.elements == Recorded::TooLong, principal.is_none(), "{record:?}");
        assert!(server.records.calls.lock().unwrap().is_empty());
    }
    check(&server, Request::json("Echo", "{}").target("Cars.Drive").unsigned(), 403, "", "").await;
    assert!(server.records.calls.lock().unwrap().is_empty(), "what reaches no service is no call");
}

#[tokio::test]
async fn without_room_for_a_record_nothing_is_done() {
    let server = Server::start(Limits::default()).await;
    server.records.is_full.store(true, std::sync::atomic::Ordering::SeqCst);
    for operation in ["Panic", "Paint", "Echo"] {
        let words = "the disk is full; nothing was done";
        let request = Request::json(operation, "{}");
        check(&server, request, 503, "ServiceUnavailable", words).await;
    }
    assert!(server.records.calls.lock().unwrap().is_empty());
    server.records.is_full.store(false, std::sync::atomic::Ordering::SeqCst);
    check(&server, Request::json("Echo", "{}"), 200, "", "root").await;
}

#[tokio::test]
async fn a_call_whose_client_has_gone_is_recorded_when_it_ends() {
    let server = Server::start(Limits::default()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    Request::json("Wait", "{}").write(&mut client, server.address).await;
    finish_within("the call to start", server.started.notified()).await;
    drop(client);
    server.release.notify_one();
    finish_within("the record", async {
        while server.records.calls.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.records.calls.lock().unwrap()[0].operation, "Wait");
}

#[tokio::test]
async fn signatures_for_elsewhere_and_headers_sent_twice_are_refused() {
    let server = Server::start(Limits::default()).await;
    let json = || Request::json("Echo", "{}");
    let code = "InvalidSignatureException";
    check(&server, json().region("eu-west-1"), 403, code, "us-east-1").await;
    check(&server, json().scope("sqs"), 403, code, "toys").await;
    for header in [
        "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260228/us-east-1/toys/aws4_request",
        "host: elsewhere.example",
        "x-amz-date: 20260228T235930Z",
        "x-amz-security-token: stolen",
        "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    ] {
        let reply = json().sign_then_append(header).send(&server).await;
        assert!((400..=403).contains(&reply.status), "{header}: {reply:?}");
        assert!(!reply.body.contains("root"), "{header}: {reply:?}");
    }
    // One record each, none of them of somebody.
    let calls = server.records.calls.lock().unwrap();
    assert!(calls.iter().all(|call| call.who.principal.is_none() && call.error.is_some()));
    assert!(calls.len() >= 6, "{}", calls.len());
}

#[tokio::test]
async fn a_request_cannot_be_smuggled_behind_another() {
    let server = Server::start(Limits::default()).await;
    let smuggled = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let length = smuggled.len();
    for head in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
        format!("content-length: 0\r\ncontent-length: {length}"),
        format!("content-length: {length}, 0"),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding: xchunked".to_owned(),
        "content-length: +5".to_owned(),
        "content-length: -1".to_owned(),
        "transfer-encoding : chunked".to_owned(),
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{smuggled}");
        let answer = raw(&server, &request).await;
        assert!(!answer.contains("ok\n"), "{head}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{head}: {answer}");
    }
    check(&server, Request::json("Echo", "{}"), 200, "", "root").await;
}

#[tokio::test]
async fn tasks_have_a_door_of_their_own_and_nobody_else_comes_through_it() {
    let task_link = |listen: &str| {
        // 127.0.0.1 is the host in this subnet; everything after it is a task.
        let subnet = "127.0.0.0/8".parse().unwrap();
        let container_instance = "own".into();
        Some(TaskLink { listen: listen.parse().unwrap(), subnet, container_instance })
    };
    let config = |listen| Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits { max_connections_per_task: 2, ..Limits::default() },
        tls: None,
        task_link: task_link(listen),
    };
    let refused = Gateway::bind(config("0.0.0.0:0"), dependencies().0).await;
    assert!(matches!(refused, Err(GatewayError::TaskLinkNotLoopback(_))), "{refused:?}");

    let (dependencies, records, _) = dependencies();
    let gateway = Gateway::bind(config("127.0.0.1:0"), dependencies).await.unwrap();
    let (endpoint, link) = (gateway.address(), gateway.task_link_address().unwrap());
    let serving = tokio::spawn(gateway.serve(std::future::pending()));
    let connect = async |from: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(link).await.unwrap()
    };
    let call = Request::json("Echo", "{}");
    assert_eq!(call.send_over(&mut connect("127.0.0.5").await, link).await.status, 200);
    assert_eq!(call.send_to(endpoint).await.status, 200);
    let doors: Vec<_> = {
        let calls = records.calls.lock().unwrap();
        calls.iter().map(|call| (call.source_vpce, call.source_ip.to_string())).collect()
    };
    let (task, client) = ("127.0.0.5".to_owned(), "127.0.0.1".to_owned());
    assert_eq!(doors, [(Some("vpce-task-link"), task), (None, client)]);

    let closed = async |mut stream: TcpStream| {
        let mut byte = [0];
        !matches!(finish_within("the end", stream.read(&mut byte)).await, Ok(1..))
    };
    assert!(closed(connect("127.0.0.1").await).await, "the host came in");
    let (_first, _second) = (connect("127.0.0.6").await, connect("127.0.0.6").await);
    assert!(closed(connect("127.0.0.6").await).await, "a third connection came in");
    assert_eq!(call.send_over(&mut connect("127.0.0.7").await, link).await.status, 200);
    let mut page = connect("127.0.0.8").await;
    page.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    serving.abort();
}

#[tokio::test]
async fn a_call_that_a_node_brings_is_answered_as_at_the_tasks_door_until_the_gateway_ends() {
    let (dependencies, records, _) = dependencies();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        limits: Limits { max_body_bytes: 100, ..Limits::default() },
        tls: None,
        task_link: None,
    };
    let gateway = Gateway::bind(config, dependencies).await.unwrap();
    let calls = gateway.relayed_calls();
    let task = "198.51.100.7".parse().unwrap();
    let status = async |request: Request| {
        let answer = calls.answer("instance", task, request.relayed()).await;
        answer.map(|answer| answer.status().as_u16())
    };
    assert_eq!(status(Request::json("Echo", "{}")).await, Some(200));
    assert_eq!(status(Request::json("Echo", "{}").secret("wrong")).await, Some(403));
    let long = format!(r#"{{"Word": "{}"}}"#, "x".repeat(100));
    assert_eq!(status(Request::json("Echo", &long)).await, Some(413));
    let mut page = http::Request::new(bytes::Bytes::new());
    *page.uri_mut() = "/metrics".parse().unwrap();
    let page = calls.answer("instance", "127.0.0.1".parse().unwrap(), page).await.unwrap();
    assert_ne!(page.status(), 200, "the operator's pages are not for tasks");
    {
        let calls = records.calls.lock().unwrap();
        let from = (calls[0].source_vpce, calls[0].source_ip, calls[0].secure_transport);
        assert_eq!(from, (Some("vpce-task-link"), task, false));
    }
    gateway.serve(std::future::ready(())).await;
    assert_eq!(status(Request::json("Echo", "{}")).await, None);
}
