//! Two small services, a server of them, and a client that can misbehave.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{AccountId, ManualClock, SeededIds, Timestamp};
use futures_util::future::BoxFuture;
use gateway::{Config, Dependencies, Gateway, Limits, ServerTls};
use http::{HeaderMap, HeaderName, HeaderValue};
use identity::RootCredentials;
use operation::{Call, CallRecord, NoRecord, Outcome, Recorder, Service, Slot, Unsigned};
use policy::Principal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sigv4::{SecretKey, Signer, sign};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use wire::{Api, AwsJson, AwsQuery, NoOutput, Operation, OperationInfo, Protocol};

pub(crate) const JSON: &str = "application/x-amz-json-1.1";
pub(crate) const TARGET: &str = "x-amz-target";
const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000); // 2026-02-28T23:59:30Z

const fn served(name: &'static str) -> OperationInfo {
    OperationInfo { name, errors: &[], has_output: true, result_wrapper: Some("SpeakResult") }
}

static TOYS: Api = Api {
    service_id: "Toys",
    full_name: "Toy Service",
    signing_name: "toys",
    endpoint_prefix: "toys",
    target_prefix: Some("Toys"),
    protocol: Protocol::AwsJson1_1,
    api_version: "2026-01-01",
    xml_namespace: None,
    validation_error_code: "ValidationException",
    operations: &[served("Echo"), served("Panic"), served("Shout"), served("Wait")],
    operation_names: &["Echo", "Paint", "Panic", "Shout", "Wait"],
};

static SPEECH: Api = Api {
    service_id: "Speech",
    full_name: "Speech Service",
    signing_name: "speech",
    endpoint_prefix: "speech",
    target_prefix: None,
    protocol: Protocol::AwsQuery,
    api_version: "2026-01-01",
    xml_namespace: Some("https://speech.example/"),
    validation_error_code: "ValidationError",
    operations: &[served("Greet"), served("Speak")],
    operation_names: &["Greet", "Speak"],
};

#[derive(Debug)]
struct Echo;

impl Operation for Echo {
    const NAME: &'static str = "Echo";
    const API: &'static Api = &TOYS;
    type Codec = AwsJson;
    type Input = NoOutput;
    type Output = NoOutput;
}

#[derive(Debug)]
struct Speak;

impl Operation for Speak {
    const NAME: &'static str = "Speak";
    const API: &'static Api = &SPEECH;
    type Codec = AwsQuery;
    type Input = NoOutput;
    type Output = NoOutput;
}

struct Toys {
    started: Arc<Notify>,
    release: Arc<Notify>,
}

impl Service for Toys {
    fn api(&self) -> &'static Api {
        &TOYS
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            if call.operation == "Wait" {
                self.started.notify_one();
                self.release.notified().await;
            }
            assert_ne!(call.operation, "Panic", "asked to panic");
            let id = &call.caller.request_id;
            match wire::decode::<Echo>(&call.body) {
                Err(error) => Outcome::failed(&TOYS, &error, id),
                Ok(_) => {
                    let mut response = wire::encode::<Echo>(&NoOutput {}, id);
                    let arn = &call.caller.principal.arn;
                    response.body = format!("{{\"arn\":\"{arn}\",\"id\":\"{id}\"}}").into_bytes();
                    if call.operation == "Shout" {
                        response.body = vec![b'!'; 64 << 20];
                    }
                    Outcome::undecided(response)
                }
            }
        })
    }
}

struct Speech {
    account: AccountId,
}

impl Service for Speech {
    fn api(&self) -> &'static Api {
        &SPEECH
    }

    fn unsigned(&self) -> Option<Unsigned<'_>> {
        Some(Unsigned { operations: &["Greet"], account: &self.account })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match wire::decode::<Speak>(&call.body) {
                Err(error) => Outcome::failed(&SPEECH, &error, &call.caller.request_id),
                Ok(_) => {
                    Outcome::undecided(wire::encode::<Speak>(&NoOutput {}, &call.caller.request_id))
                }
            }
        })
    }
}

/// Keeps the records of calls in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    pub(crate) calls: Arc<Mutex<Vec<CallRecord>>>,
    pub(crate) is_full: Arc<AtomicBool>,
}

impl Records {
    fn keep(&self, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        self.calls.lock().unwrap().push(call);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Recorder for Records {
    fn reserve(&self) -> Result<Box<dyn Slot>, NoRecord> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(NoRecord::Unavailable { reason: "the disk is full".to_owned() });
        }
        Ok(Box::new(self.clone()))
    }

    fn refused(&self, mut call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        assert!(call.who.principal.is_none() || call.who.bound_elsewhere.is_some());
        call.elements = wire::Recorded::TooLong;
        self.keep(call)
    }
}

impl Slot for Records {
    fn record(self: Box<Self>, call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        self.keep(call)
    }
}

/// What a gateway of both services needs; and when `Wait` has started, and what ends it.
pub(crate) fn dependencies() -> (Dependencies, Records, (Arc<Notify>, Arc<Notify>)) {
    let records = Records::default();
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let toys = Toys { started: Arc::clone(&started), release: Arc::clone(&release) };
    let root = Principal::root("123456789012".parse().unwrap());
    let secret = SecretKey::new("secret".to_owned());
    let dependencies = Dependencies {
        services: vec![
            Arc::new(toys),
            Arc::new(Speech { account: "123456789012".parse().unwrap() }),
        ],
        credentials: Arc::new(RootCredentials::new("AKID".to_owned(), secret, root)),
        clock: Arc::new(ManualClock::new(NOW)),
        recorder: Arc::new(records.clone()),
        ids: Arc::new(SeededIds::new(1)),
        registry: Arc::new(Mutex::default()),
    };
    (dependencies, records, (started, release))
}

/// A running gateway.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) records: Records,
    pub(crate) started: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, None).await
    }

    pub(crate) async fn start_with(limits: Limits, tls: Option<ServerTls>) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let task_link = None;
        let config =
            Config { listen, region: "us-east-1".parse().unwrap(), limits, tls, task_link };
        let (dependencies, records, (started, release)) = dependencies();
        let gateway = Gateway::bind(config, dependencies).await.unwrap();
        let address = gateway.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(gateway.serve(async move {
            // A dropped sender stops the server as well.
            let _ = stopped.await;
        }));
        Self { address, records, started, release, stop: Some(stop), task: Some(task) }
    }
}

/// The real time, which certificates are held against.
#[expect(clippy::disallowed_methods, reason = "the TLS client asks the machine too")]
pub(crate) fn machine_time() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_epoch_seconds(since.as_secs_f64())
}

/// Waits for `future`, at most ten seconds.
pub(crate) async fn finish_within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(10), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited ten seconds for {what}"),
    }
}

/// A request in the making.
pub(crate) struct Request {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    key: Option<&'static str>,
    secret: &'static str,
    token: Option<&'static str>,
    service: &'static str,
    region: &'static str,
    skew_s: i64,
    after_signing: String,
    announced_more: usize,
    is_chunked: bool,
    keeps_alive: bool,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty, |$request:ident, $value:ident| $set:expr;)+) => {
        $(pub(crate) fn $name(self, $value: $type) -> Self {
            let mut $request = self;
            $set;
            $request
        })+
    };
}

impl Request {
    pub(crate) fn json(operation: &str, body: &str) -> Self {
        Self {
            method: "POST",
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![("content-type", JSON.to_owned()), (TARGET, format!("Toys.{operation}"))],
            body: body.as_bytes().to_vec(),
            key: Some("AKID"),
            secret: "secret",
            token: None,
            service: "toys",
            region: "us-east-1",
            skew_s: 0,
            after_signing: String::new(),
            announced_more: 0,
            is_chunked: false,
            keeps_alive: false,
        }
    }

    pub(crate) fn query(form: &str) -> Self {
        let content_type = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let headers = vec![("content-type", content_type)];
        Self { headers, service: "speech", ..Self::json("", form) }
    }

    setters! {
        secret: &'static str, |request, value| request.secret = value;
        key: &'static str, |request, value| request.key = Some(value);
        token: &'static str, |request, value| request.token = Some(value);
        scope: &'static str, |request, value| request.service = value;
        region: &'static str, |request, value| request.region = value;
        skewed: i64, |request, value| request.skew_s = value;
        path: &str, |request, value| request.path = value.to_owned();
        bytes: Vec<u8>, |request, value| request.body = value;
        announce_more: usize, |request, value| request.announced_more = value;
        sign_then_append: &str, |request, value| request.after_signing = format!("{value}\r\n");
        without: &str, |request, value| request.headers.retain(|(name, _)| *name != value);
    }

    pub(crate) fn target(mut self, value: &str) -> Self {
        self = self.without(TARGET);
        self.headers.push((TARGET, value.to_owned()));
        self
    }

    pub(crate) fn get(mut self, query: &str) -> Self {
        (self.method, self.query) = ("GET", query.to_owned());
        self
    }

    pub(crate) fn unsigned(self) -> Self {
        Self { key: None, ..self }
    }

    pub(crate) fn chunked(self) -> Self {
        Self { is_chunked: true, ..self }
    }

    pub(crate) fn keep_alive(self) -> Self {
        Self { keeps_alive: true, ..self }
    }

    fn head(&self, address: SocketAddr) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::try_from(address.to_string()).unwrap());
        for (name, value) in &self.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
        }
        if let Some(access_key_id) = self.key {
            let secret = SecretKey::new(self.secret.to_owned());
            let signer = Signer {
                access_key_id,
                secret: &secret,
                session_token: self.token,
                region: self.region,
                service: self.service,
            };
            let target = (self.method, self.path.as_str(), self.query.as_str());
            let now = NOW.plus_seconds(self.skew_s);
            sign(&signer, target, &mut headers, &self.body, now).unwrap();
        }
        let mark = if self.query.is_empty() { "" } else { "?" };
        let mut head = format!("{} {}{mark}{} HTTP/1.1\r\n", self.method, self.path, self.query);
        for (name, value) in &headers {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        head += &self.after_signing;
        if !self.keeps_alive {
            head += "connection: close\r\n";
        }
        if self.is_chunked {
            head += "transfer-encoding: chunked\r\n";
        } else {
            head += &format!("content-length: {}\r\n", self.body.len() + self.announced_more);
        }
        head + "\r\n"
    }

    pub(crate) async fn send(self, server: &Server) -> Reply {
        self.send_to(server.address).await
    }

    pub(crate) async fn send_to(&self, address: SocketAddr) -> Reply {
        let mut stream = finish_within("a connection", TcpStream::connect(address)).await.unwrap();
        self.send_over(&mut stream, address).await
    }

    pub(crate) async fn send_tls(
        self,
        address: SocketAddr,
        directory: &Path,
        version: &'static SupportedProtocolVersion,
    ) -> Reply {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(directory.join("ca.pem")).unwrap()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = connector.connect(name, tcp).await.unwrap();
        self.send_over(&mut stream, address).await
    }

    /// The request as a node brings it, and not over a connection.
    pub(crate) fn relayed(&self) -> http::Request<bytes::Bytes> {
        let head = self.head("169.254.170.3:80".parse().unwrap());
        let mut lines = head.lines();
        let first: Vec<&str> = lines.next().unwrap().split(' ').collect();
        let mut request = http::Request::new(bytes::Bytes::from(self.body.clone()));
        *request.method_mut() = first[0].parse().unwrap();
        *request.uri_mut() = first[1].parse().unwrap();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let value = HeaderValue::try_from(value).unwrap();
            request.headers_mut().append(HeaderName::try_from(name).unwrap(), value);
        }
        request
    }

    /// Writes the whole request, then reads the whole reply.
    pub(crate) async fn send_over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        address: SocketAddr,
    ) -> Reply {
        finish_within("a reply", async {
            self.write(stream, address).await;
            read_reply(stream).await
        })
        .await
    }

    /// Writes the whole request.
    pub(crate) async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, address: SocketAddr) {
        stream.write_all(self.head(address).as_bytes()).await.unwrap();
        if self.is_chunked {
            for chunk in self.body.chunks(1 << 20) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
                stream.write_all(chunk).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        } else {
            stream.write_all(&self.body).await.unwrap();
        }
        stream.flush().await.unwrap();
    }
}

async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> Reply {
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head_end) = head_end {
            let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut reply = Reply { status, headers, body: String::new() };
            let length: usize = reply.header("content-length").parse().unwrap();
            let mut body = bytes.split_off(head_end + 4);
            let have = body.len();
            body.resize(length, 0);
            stream.read_exact(&mut body[have..]).await.unwrap();
            reply.body = String::from_utf8(body).unwrap();
            return reply;
        }
        let count = stream.read_buf(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// Sends raw bytes and reads to the end of the connection.
pub(crate) async fn raw(server: &Server, text: &str) -> String {
    let mut client = TcpStream::connect(server.address).await.unwrap();
    // The server may answer and close before it has read all of this.
    let _ = client.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    // A connection that is reset has ended too.
    let _ = finish_within("the connection's end", client.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}
