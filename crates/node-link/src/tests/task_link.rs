//! Calls of tasks, from their connection to the control plane and back.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::task_call::encode_call;

impl TaskCalls for Behind {
    fn answer(&self, call: TaskCall) -> BoxFuture<'_, Option<Response<Full<Bytes>>>> {
        let answer = Response::builder()
            .status(418)
            .header("x-amzn-requestid", "r-1")
            .header("connection", "x-private")
            .header("x-private", "1")
            .body(Full::new(Bytes::from("answer to ".to_owned() + call.request.uri().path())));
        self.calls.lock().unwrap().push(call);
        Box::pin(async { Some(answer.unwrap()) })
    }
}

/// A control plane, the node A with its tasks' link, and the address of the one task that is there.
struct Linked {
    world: World,
    link: SocketAddr,
    remote: Arc<RemoteControlPlane>,
    task_id: String,
}

const TASK: &str = "127.0.0.5";

impl Linked {
    async fn new() -> Self {
        let world = World::new().await;
        let membership = world.member(A).await;
        let (definition, mut mine, mut others) = domain_records::tasks(A, B, world.clock.now());
        mine.address = Some(TASK.to_owned());
        others.address = Some("127.0.0.6".to_owned());
        world
            .commit(|_, change| {
                change.create(&definition);
                change.create(&mine);
                change.create(&others);
            })
            .await;
        let remote = Arc::new(world.remote(&membership));
        // 127.0.0.1 is the host in this subnet; everything after it is a task.
        let listener = TaskLinkListener::bind("127.0.0.0/8".parse().unwrap()).await.unwrap();
        let link = (std::net::Ipv4Addr::LOCALHOST, listener.port()).into();
        tokio::spawn(listener.serve(Arc::clone(&remote)));
        Self { world, link, remote, task_id: mine.id }
    }

    async fn connect(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(self.link).await.unwrap()
    }

    /// What comes back until the connection's end.
    async fn exchange(&self, from: &str, text: &[u8]) -> String {
        let mut stream = self.connect(from).await;
        // It may be answered and closed before all of it was taken.
        let _ = stream.write_all(text).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await;
        let _ = read.unwrap_or_else(|_| panic!("no end: {}", String::from_utf8_lossy(&answer)));
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn calls(&self) -> Vec<TaskCall> {
        std::mem::take(&mut *self.world.behind.calls.lock().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_task_reaches_the_control_plane_as_it_was_signed() {
    let linked = Linked::new().await;
    let answer = linked
        .exchange(
            TASK,
            b"POST /a%2Fb//?x=1&x= HTTP/1.1\r\nHost: 169.254.170.3\r\nX-Amz-Target: T.Op\r\n\
              X-Amz-Note: one\r\nx-amz-note:  two\r\nAuthorization: AWS4 x, y\r\n\
              Connection: close, x-private\r\nX-Private: 1\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 418 ") && answer.contains("x-amzn-requestid: r-1"));
    assert!(answer.ends_with("answer to /a%2Fb//") && !answer.contains("x-private"), "{answer}");
    let calls = linked.calls();
    assert_eq!(calls.len(), 1, "one request became more");
    let TaskCall { container_instance, task_address, request } = &calls[0];
    assert_eq!((container_instance.as_str(), task_address.to_string()), (A, TASK.to_owned()));
    assert_eq!(request.uri().to_string(), "/a%2Fb//?x=1&x=");
    assert_eq!((request.method().as_str(), request.body().as_ref()), ("POST", b"body".as_slice()));
    let header = |name: &str| -> Vec<_> { request.headers().get_all(name).iter().collect() };
    assert_eq!(header("host"), ["169.254.170.3"]);
    assert_eq!(header("authorization"), ["AWS4 x, y"]);
    assert_eq!(header("x-amz-note"), ["one", "two"]);
    assert_eq!(header("content-length"), ["4"]);
    assert!(header("connection").is_empty() && header("x-private").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_speaks_for_addresses_of_its_own_tasks_only() {
    let linked = Linked::new().await;
    let call = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: T.Op\r\nConnection: close\r\n\r\n";
    let reasons = |linked: &Linked| {
        let events = linked.world.events(NodeEventKind::Refused);
        events.iter().filter(|event| event.instance_id.as_deref() == Some(A)).count()
    };
    // Another node's task, and nobody's.
    for (number, from) in ["127.0.0.6", "127.0.0.7"].into_iter().enumerate() {
        let answer = linked.exchange(from, call).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{from}: {answer}");
        assert!(answer.contains("AccessDeniedException"), "{from}: {answer}");
        assert_eq!(reasons(&linked), number + 1, "{from}");
    }
    assert!(linked.exchange(TASK, call).await.starts_with("HTTP/1.1 418 "));
    assert_eq!(linked.calls().len(), 1);
    // Its task has stopped.
    let world = &linked.world;
    world
        .commit(|view, change| {
            let row = view.task(&linked.task_id).unwrap();
            let mut task = row.value.as_ref().clone();
            task.last_status = domain::TaskStatus::Stopped;
            change.update(row, &task);
        })
        .await;
    assert!(linked.exchange(TASK, call).await.starts_with("HTTP/1.1 403 "));
    assert_eq!(linked.calls().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_revoked_node_are_out_at_once() {
    let linked = Linked::new().await;
    let call = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(linked.exchange(TASK, call).await.starts_with("HTTP/1.1 418 "));
    linked.world.revoke(A).await;
    let answer = linked.exchange(TASK, call).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    assert_eq!(linked.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_have_limits_on_both_sides() {
    let linked = Linked::new().await;
    let long = 10 << 20;
    let send = async |length: usize, path: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        linked.exchange(TASK, &[head.into_bytes(), vec![b'x'; length]].concat()).await
    };
    assert!(send(long, "/").await.starts_with("HTTP/1.1 418 "));
    assert_eq!(linked.calls()[0].request.body().len(), long);
    let answer = send(long + 1, "/").await;
    // The answer may be lost to a reset, as the rest of the body is not taken.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(send(0, "*").await.starts_with("HTTP/1.1 400 "));
    let headers = "X-A: 1\r\n".repeat(101);
    let many = format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let answer = linked.exchange(TASK, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let both = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
    assert!(linked.exchange(TASK, both).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(linked.calls().len(), 0);

    // A node that keeps no limit itself gets no further.
    let address: IpAddr = TASK.parse().unwrap();
    let call = |length: usize| {
        let request = Request::post("/").body(Bytes::from(vec![b'x'; length])).unwrap();
        encode_call(address, &request).unwrap()
    };
    assert!(linked.remote.task_call(call(long)).await.is_ok());
    let refused = linked.remote.task_call(call(long + (256 << 10) + 1)).await;
    assert!(refused.is_err(), "{refused:?}");
    let refused = linked.remote.task_call(Bytes::from_static(b"{}\n")).await;
    let Err(CallError::Refused(StatusCode::BAD_REQUEST, _)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(linked.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_so_many_connections_and_the_host_has_none() {
    let linked = Linked::new().await;
    let closed = async |mut stream: TcpStream| {
        let mut byte = [0];
        let read = tokio::time::timeout(LIMIT, stream.read(&mut byte)).await;
        !matches!(read.unwrap(), Ok(1..))
    };
    assert!(closed(linked.connect("127.0.0.1").await).await, "the host came in");
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(linked.connect("127.0.0.9").await);
    }
    assert!(closed(linked.connect("127.0.0.9").await).await, "one connection too many");
    let call = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(linked.exchange(TASK, call).await.starts_with("HTTP/1.1 418 "));
    drop(open);
}

/// Stands between a node and its control plane, and cuts their connection instead of bringing the answer
/// to the second call; once.
async fn scissors(to: SocketAddr, behind: Arc<Behind>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let is_cut = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((node, _)) = listener.accept().await {
            let (behind, is_cut) = (Arc::clone(&behind), Arc::clone(&is_cut));
            let server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move {
                let (mut from_node, mut to_node) = node.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let answers = async {
                    let mut buffer = [0; 4096];
                    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                        let calls = behind.calls.lock().unwrap().len();
                        if calls == 2 && !is_cut.swap(true, Ordering::SeqCst) {
                            break;
                        }
                        to_node.write_all(&buffer[..length]).await.unwrap();
                    }
                };
                tokio::select! {
                    () = answers => {}
                    _ = tokio::io::copy(&mut from_node, &mut to_server) => {}
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_is_lost_is_not_sent_twice() {
    let linked = Linked::new().await;
    let between = scissors(linked.world.address, Arc::clone(&linked.world.behind)).await;
    let endpoint = Endpoint::parse(&format!("https://{between}")).unwrap();
    let membership = Membership::open(&linked.world.node_directory(A)).unwrap().unwrap();
    let clock = Arc::clone(&linked.world.clock) as Arc<dyn Clock>;
    let ids = Arc::clone(&linked.world.ids);
    let remote = RemoteControlPlane::new(endpoint, membership, clock, ids).unwrap();
    let request = Request::post("/").body(Bytes::from_static(b"run a task")).unwrap();
    let call = encode_call(TASK.parse().unwrap(), &request).unwrap();
    assert!(remote.task_call(call.clone()).await.is_ok());
    let lost = remote.task_call(call.clone()).await;
    assert!(matches!(lost, Err(CallError::Unavailable(_))), "{lost:?}");
    assert_eq!(linked.calls().len(), 2, "sent again");
    assert!(remote.task_call(call).await.is_ok(), "it connects again");
}
