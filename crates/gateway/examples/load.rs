//! Prints how many signed requests per second a gateway with one worker thread answers.
//!
//! The service is trivial; the clients are 64 connections on another thread of this process.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{ManualClock, SeededIds, Timestamp};
use futures_util::future::{BoxFuture, ready, try_join_all};
use gateway::{Config, Dependencies, Gateway, Limits};
use http::{HeaderMap, HeaderValue};
use identity::RootCredentials;
use operation::{Call, CallRecord, NoRecord, Outcome, Recorder, Service, Slot};
use policy::Principal;
use sigv4::{SecretKey, Signer, sign};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::Instant;
use wire::{Api, OperationInfo, Protocol, Response};

const CONNECTIONS: usize = 64;
const DURATION: Duration = Duration::from_secs(4);
const NOW: Timestamp = Timestamp::from_epoch_ms(1_772_323_170_000);
const TARGET: &str = "AmazonEC2ContainerServiceV20141113.DescribeTasks";

type Failure = Box<dyn Error + Send + Sync>;

static API: Api = Api {
    service_id: "ECS",
    full_name: "Amazon EC2 Container Service",
    signing_name: "ecs",
    endpoint_prefix: "ecs",
    target_prefix: Some("AmazonEC2ContainerServiceV20141113"),
    protocol: Protocol::AwsJson1_1,
    api_version: "2014-11-13",
    xml_namespace: None,
    validation_error_code: "ClientException",
    operations: &[OperationInfo {
        name: "DescribeTasks",
        errors: &[],
        has_output: true,
        result_wrapper: None,
    }],
    operation_names: &["DescribeTasks"],
};

struct Trivial;

impl Service for Trivial {
    fn api(&self) -> &'static Api {
        &API
    }

    fn call(&self, _call: Call) -> BoxFuture<'_, Outcome> {
        Box::pin(ready(Outcome::undecided(Response {
            status: 200,
            content_type: "application/x-amz-json-1.1",
            error_type: None,
            body: b"{\"tasks\":[],\"failures\":[]}".to_vec(),
        })))
    }
}

/// Takes records and forgets them: what is measured is the gateway.
struct NoRecords;

impl Recorder for NoRecords {
    fn reserve(&self) -> Result<Box<dyn Slot>, NoRecord> {
        Ok(Box::new(Self))
    }

    fn refused(&self, _call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        Box::pin(ready(Ok(())))
    }
}

impl Slot for NoRecords {
    fn record(self: Box<Self>, _call: CallRecord) -> BoxFuture<'static, Result<(), NoRecord>> {
        Box::pin(ready(Ok(())))
    }
}

fn main() -> Result<(), Failure> {
    let server = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let secret = SecretKey::new("secret".to_owned());
    let root = Principal::root("123456789012".parse()?);
    let dependencies = Dependencies {
        services: vec![Arc::new(Trivial)],
        credentials: Arc::new(RootCredentials::new("AKID".to_owned(), secret.clone(), root)),
        clock: Arc::new(ManualClock::new(NOW)),
        recorder: Arc::new(NoRecords),
        ids: Arc::new(SeededIds::new(1)),
        registry: Arc::new(Mutex::default()),
    };
    let config = Config {
        listen: "127.0.0.1:0".parse()?,
        region: "us-east-1".parse()?,
        limits: Limits::default(),
        tls: None,
        task_link: None,
    };
    let gateway = server.block_on(Gateway::bind(config, dependencies))?;
    let address = gateway.address();
    server.spawn(gateway.serve(std::future::pending()));

    let request = request(address, &secret)?;
    let clients = runtime::Builder::new_current_thread().enable_all().build()?;
    let started = clients.block_on(async { Instant::now() });
    let counts = clients.block_on(try_join_all(
        (0..CONNECTIONS).map(|_| client(address, &request, started + DURATION)),
    ))?;
    let rate = counts.iter().sum::<u64>() / DURATION.as_secs();
    writeln!(std::io::stdout(), "{rate} signed requests/s over {CONNECTIONS} connections")?;
    server.shutdown_background();
    Ok(())
}

/// A signed DescribeTasks request as bytes.
fn request(address: SocketAddr, secret: &SecretKey) -> Result<Vec<u8>, Failure> {
    let body = "{\"cluster\":\"default\",\"tasks\":[\"arn:aws:ecs:us-east-1:123456789012:task/\
                default/0123456789abcdef0123456789abcdef\"]}";
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::try_from(address.to_string())?);
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    let signer = Signer {
        access_key_id: "AKID",
        secret,
        session_token: None,
        region: "us-east-1",
        service: "ecs",
    };
    sign(&signer, ("POST", "/", ""), &mut headers, body.as_bytes(), NOW)?;
    let mut text = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        text += &format!("{name}: {}\r\n", value.to_str()?);
    }
    text += &format!("user-agent: load\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    Ok(text.into_bytes())
}

/// Sends the request again and again over one connection; how often it was answered with 200.
async fn client(address: SocketAddr, request: &[u8], until: Instant) -> Result<u64, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    let mut count = 0;
    while Instant::now() < until {
        stream.write_all(request).await?;
        let mut length = 0;
        loop {
            let space = buffer.get_mut(length..).ok_or("the answer is too long")?;
            length += stream.read(space).await?;
            let answer = buffer.get(..length).unwrap_or_default();
            if answer.ends_with(b"\"failures\":[]}") {
                break;
            }
            if length == 0 || !b"HTTP/1.1 200".starts_with(answer.get(..12).unwrap_or(answer)) {
                return Err(String::from_utf8_lossy(answer).into_owned().into());
            }
        }
        count += 1;
    }
    Ok(count)
}
