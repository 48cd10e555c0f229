//! A small signing client for our own API.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::Clock as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use server::{ClientEnvironment, SystemClock};
use sigv4::{SecretKey, SignError, Signer, sign};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::arguments::EndpointArguments;
use crate::environment::variable;
use crate::failure::Failure;

/// How long connecting may take, and how long an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer taken in, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A service that speaks JSON: what its requests are signed for, and what their target begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonService {
    signing_name: &'static str,
    target_prefix: &'static str,
}

/// Amazon ECS.
pub(crate) const ECS: JsonService =
    JsonService { signing_name: "ecs", target_prefix: "AmazonEC2ContainerServiceV20141113" };
/// Our own.
pub(crate) const PORTCULLIS: JsonService =
    JsonService { signing_name: "portcullis", target_prefix: "Portcullis_20261120" };

/// Does `work` with a connection to the server that the arguments name.
pub(crate) fn with_client<T>(
    server: EndpointArguments,
    service: JsonService,
    work: impl AsyncFnOnce(&mut Client) -> Result<T, ClientError>,
) -> Result<T, Failure> {
    let EndpointArguments { state, endpoint } = server;
    let environment = match endpoint {
        None => ClientEnvironment::read(&state.state_dir),
        Some(endpoint) => ClientEnvironment::from_variables("the environment", |name| {
            if name == "AWS_ENDPOINT_URL" { Some(endpoint.clone()) } else { variable(name) }
        }),
    };
    let environment = environment.map_err(|error| {
        Failure::of(&error).advice(
            "give --state-dir of a `portcullis up` of this machine, or --endpoint with \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION set",
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("cannot start", &error))?;
    let outcome = runtime.block_on(async {
        let mut client = Client::connect(environment, service).await?;
        work(&mut client).await
    });
    outcome.map_err(|error| Failure::of(&error))
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("`{0}` is not the URL of a server: expected `http://HOST:PORT` or `https://HOST:PORT`")]
    Url(String),
    #[error("cannot read the certificate `{}` that AWS_CA_BUNDLE names", path.display())]
    Certificate {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("no certificate to trust is known: set AWS_CA_BUNDLE to the server's tls/ca.pem")]
    NoCertificate,
    #[error("cannot connect to `{authority}`: check that `portcullis up` runs there")]
    Connect {
        authority: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the server did not answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection to the server failed")]
    Connection(#[source] hyper::Error),
    #[error("the request cannot be signed")]
    Sign(#[source] SignError),
    #[error("the request cannot be made")]
    Request(#[source] http::Error),
    #[error("the server's answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{operation} answered {status} {code}: {message}")]
    Refused { operation: &'static str, status: StatusCode, code: String, message: String },
    #[error("the answer to {operation} is not what was expected")]
    Answer {
        operation: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

/// A connection to a server.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    service: JsonService,
    authority: String,
    access_key_id: String,
    secret: SecretKey,
    region: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// The part of an error that AWS's JSON protocols have in common.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

impl Client {
    /// Connects, to call operations of `service`.
    pub(crate) async fn connect(
        environment: ClientEnvironment,
        service: JsonService,
    ) -> Result<Self, ClientError> {
        let ClientEnvironment { endpoint, access_key_id, secret, region, ca_bundle } = environment;
        let url = || ClientError::Url(endpoint.clone());
        let uri: Uri = endpoint.parse().map_err(|_| url())?;
        let (authority, host) = match (uri.authority(), uri.host()) {
            (Some(authority), Some(host)) => (authority.as_str().to_owned(), host.to_owned()),
            _ => return Err(url()),
        };
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some(trust(ca_bundle)?),
            _ => return Err(url()),
        };
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let host = host.trim_matches(['[', ']']).to_owned();
        let connect = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let failed = |source| ClientError::Connect { authority: authority.clone(), source };
        let connected = tokio::time::timeout(TIMEOUT, connect).await;
        let stream = connected.map_err(|_| ClientError::Timeout)?.map_err(failed)?;
        let sender = match tls {
            None => handshake(stream).await?,
            Some(tls) => {
                let name = ServerName::try_from(host).map_err(|_| url())?;
                let connect = TlsConnector::from(tls).connect(name, stream);
                let connected = tokio::time::timeout(TIMEOUT, connect).await;
                handshake(connected.map_err(|_| ClientError::Timeout)?.map_err(failed)?).await?
            }
        };
        Ok(Self { sender, service, authority, access_key_id, secret, region })
    }

    /// Calls an operation.
    pub(crate) async fn call<Output: DeserializeOwned>(
        &mut self,
        operation: &'static str,
        input: &serde_json::Value,
    ) -> Result<Output, ClientError> {
        let request = self.request(operation, input.to_string())?;
        let exchange = async {
            self.sender.ready().await.map_err(ClientError::Connection)?;
            let response =
                self.sender.send_request(request).await.map_err(ClientError::Connection)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            Ok((head.status, body.map_err(ClientError::Body)?.to_bytes()))
        };
        let exchanged = tokio::time::timeout(TIMEOUT, exchange).await;
        let (status, body) = exchanged.map_err(|_| ClientError::Timeout)??;
        if status != StatusCode::OK {
            let Refusal { kind, message } = serde_json::from_slice(&body).unwrap_or_default();
            let code = kind.rsplit('#').next().unwrap_or_default().to_owned();
            return Err(ClientError::Refused { operation, status, code, message });
        }
        // Operations without an output answer an empty body.
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(|source| ClientError::Answer { operation, source })
    }

    fn request(
        &self,
        operation: &'static str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let text = |text: &str| {
            HeaderValue::from_str(text).map_err(|error| ClientError::Request(error.into()))
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, text(&self.authority)?);
        headers.insert(header::CONTENT_TYPE, text("application/x-amz-json-1.1")?);
        headers
            .insert("x-amz-target", text(&format!("{}.{operation}", self.service.target_prefix))?);
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            session_token: None,
            region: &self.region,
            service: self.service.signing_name,
        };
        let parts = (Method::POST.as_str(), "/", "");
        sign(&signer, parts, &mut headers, body.as_bytes(), SystemClock.now())
            .map_err(ClientError::Sign)?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, ClientError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Connection)?;
    // Its error reaches the request that was under way.
    tokio::spawn(connection);
    Ok(sender)
}

/// Trusts what is in the bundle and nothing else.
fn trust(ca_bundle: Option<PathBuf>) -> Result<Arc<ClientConfig>, ClientError> {
    let path = ca_bundle.ok_or(ClientError::NoCertificate)?;
    let failed = |source| ClientError::Certificate { path: path.clone(), source };
    let pem = fs::read(&path).map_err(|error| failed(error.into()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.into()))?;
        roots.add(certificate).map_err(|error| failed(error.into()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
