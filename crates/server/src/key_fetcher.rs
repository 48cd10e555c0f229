//! Fetches the documents of identity providers over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as crypto};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use service_sts::{FetchError, KeyFetcher, MAX_DOCUMENT_BYTES, TIMEOUT_SECONDS};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Speaks HTTP/1.1 over TLS, one connection for each document: keys are fetched once an hour.
#[derive(Debug, Default)]
pub(crate) struct HttpsKeyFetcher {
    /// The authorities that the system trusts, read when they are first needed.
    trusted: OnceCell<Arc<RootCertStore>>,
}

impl KeyFetcher for HttpsKeyFetcher {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        thumbprints: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        Box::pin(async move {
            let failed = |reason: String| FetchError { url: url.to_owned(), reason };
            let limit = Duration::from_secs(TIMEOUT_SECONDS);
            match tokio::time::timeout(limit, self.get(url, thumbprints)).await {
                Ok(Ok(document)) => Ok(document),
                Ok(Err(cause)) => Err(failed(cause.to_string())),
                Err(_) => Err(failed(format!("no answer within {TIMEOUT_SECONDS} s"))),
            }
        })
    }
}

impl HttpsKeyFetcher {
    async fn get(&self, url: &str, thumbprints: &[String]) -> Result<Vec<u8>, Cause> {
        let uri: Uri = url.parse()?;
        let host = uri.host().ok_or("the URL has no host")?;
        if uri.scheme_str() != Some("https") {
            return Err("only HTTPS is spoken".into());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let config = client_config(self.trusted().await?, thumbprints)?;
        let socket = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
        let name = ServerName::try_from(bare.to_owned())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let authority = uri.authority().map_or(host, http::uri::Authority::as_str);
        let request = Request::builder()
            .method(Method::GET)
            .uri(uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "portcullis")
            .body(Empty::<Bytes>::new())?;
        // Ends by itself when nobody waits for an answer any more.
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(format!("the answer is {status}").into());
        }
        let body = Limited::new(response.into_body(), MAX_DOCUMENT_BYTES).collect().await?;
        Ok(body.to_bytes().to_vec())
    }

    async fn trusted(&self) -> Result<Arc<RootCertStore>, Cause> {
        let read = || async {
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await?;
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(found.certs);
            Ok::<_, Cause>(Arc::new(store))
        };
        self.trusted.get_or_try_init(read).await.map(Arc::clone)
    }
}

fn client_config(
    trusted: Arc<RootCertStore>,
    thumbprints: &[String],
) -> Result<ClientConfig, Cause> {
    let crypto = Arc::new(crypto::default_provider());
    let system = if trusted.is_empty() {
        None
    } else {
        Some(WebPkiServerVerifier::builder_with_provider(trusted, Arc::clone(&crypto)).build()?)
    };
    let thumbprints = thumbprints.to_vec();
    let verifier = ProviderVerifier { system, thumbprints, crypto: Arc::clone(&crypto) };
    let config =
        ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// Trusts the system's authorities, and any certificate that a provider's record has the thumbprint of.
/// Names, times and signatures are checked either way.
#[derive(Debug)]
struct ProviderVerifier {
    system: Option<Arc<WebPkiServerVerifier>>,
    thumbprints: Vec<String>,
    crypto: Arc<CryptoProvider>,
}

impl ProviderVerifier {
    fn is_known(&self, certificate: &CertificateDer<'_>) -> bool {
        let found = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
        let mut known = self.thumbprints.iter();
        known.any(|text| {
            let mut bytes = [0; 20];
            hex::decode_to_slice(text, &mut bytes).is_ok() && bytes.as_slice() == found.as_ref()
        })
    }
}

impl ServerCertVerifier for ProviderVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verify = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let unknown = TlsError::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let by_system = self.system.as_deref().map_or(Err(unknown), verify);
        if by_system.is_ok() {
            return by_system;
        }
        let mut anchors = RootCertStore::empty();
        let chain = intermediates.iter().chain([end_entity]);
        for known in chain.filter(|certificate| self.is_known(certificate)) {
            anchors.add(known.clone().into_owned())?;
        }
        if anchors.is_empty() {
            return by_system;
        }
        let crypto = Arc::clone(&self.crypto);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), crypto)
            .build()
            .map_err(|error| TlsError::General(error.to_string()))?;
        verify(&verifier)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
