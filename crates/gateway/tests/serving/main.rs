//! The gateway over real sockets.

#[cfg(test)]
mod support;

use std::time::Duration;

use gateway::{Config, Gateway, GatewayError, Limits, ServerTls};
use support::{Reply, Request, Server, TARGET, dependencies, finish_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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
