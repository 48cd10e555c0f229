//! A machine joins.

use std::path::Path;
use std::sync::Arc;

use base::IdSource;
use bytes::Bytes;
use node_proto::{JoinTokenText, Secret};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::backoff::Backoff;
use crate::certificate::{key_digest, prove};
use crate::channel::{CallError, Channel, Credentials, Endpoint};
use crate::membership::{self, Kept, Membership, MembershipError};
use crate::messages::{JoinAnswer, JoinRequest, REQUEST_TIMEOUT, path};

/// Why a machine did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The identity cannot be kept.
    #[error("the node's identity cannot be kept")]
    Membership(#[source] MembershipError),
    /// The other end is somebody else.
    #[error("this is not the control plane that made the join token: {0}")]
    Stranger(String),
    /// The control plane refused.
    #[error("the control plane did not let the node in: {0}")]
    Refused(String),
    /// The answer is not what was expected.
    #[error(
        "the control plane's answer cannot be read: run the same version of the program on both"
    )]
    Answer,
}

/// Joins with a token and keeps in `directory` what came of it. A control plane that cannot be reached
/// is tried until it can.
///
/// # Errors
/// [`JoinError`].
pub async fn join(
    endpoint: &Endpoint,
    token: &JoinTokenText,
    instance_id: &str,
    directory: &Path,
    ids: Arc<dyn IdSource>,
) -> Result<Membership, JoinError> {
    let key = membership::key(directory).map_err(JoinError::Membership)?;
    let (public_key, proof) = prove(&key, token.id(), instance_id).ok_or_else(|| {
        let path = directory.to_owned();
        JoinError::Membership(MembershipError::Content { path })
    })?;
    let request = JoinRequest {
        token_id: token.id().to_owned(),
        secret: Secret::new(token.secret().to_owned()),
        instance_id: instance_id.to_owned(),
        public_key,
        proof,
    };
    let body = Bytes::from(serde_json::to_vec(&request).map_err(|_| JoinError::Answer)?);
    let config = pinned(token.authority_digest())
        .map_err(|error| JoinError::Membership(MembershipError::Tls(error.into())))?;
    let credentials = Arc::new(Credentials::new(config));
    let mut backoff = Backoff::new(ids);
    let answer = loop {
        let channel = Channel::new(endpoint.clone(), Arc::clone(&credentials));
        match channel.post(path::JOIN, body.clone(), REQUEST_TIMEOUT).await {
            Ok(Some(answer)) => break answer,
            Ok(None) => return Err(JoinError::Answer),
            Err(CallError::Stranger(reason)) => return Err(JoinError::Stranger(reason)),
            Err(CallError::Refused(_, reason)) => return Err(JoinError::Refused(reason)),
            Err(CallError::Unavailable(reason)) => {
                tracing::warn!(reason, "not joined yet: trying again");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    };
    let JoinAnswer { cluster, authority, certificate } =
        serde_json::from_slice(&answer).map_err(|_| JoinError::Answer)?;
    let sent = CertificateDer::from_pem_slice(authority.as_bytes()).ok();
    if sent.as_ref().and_then(key_digest).as_deref() != Some(token.authority_digest()) {
        return Err(JoinError::Answer);
    }
    let kept = Kept { instance_id: instance_id.to_owned(), cluster, authority, certificate };
    Membership::keep(directory, key, kept).map_err(JoinError::Membership)
}

/// TLS 1.3 with nobody whose certificate does not go back to the authority of this digest.
fn pinned(authority_digest: &str) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        PinnedAuthority { digest: authority_digest.to_owned(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Trusts the authority whose public key has this digest: it comes along in the handshake, and then
/// the server's certificate is verified as always.
#[derive(Debug)]
struct PinnedAuthority {
    digest: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = intermediates
            .iter()
            .find(|certificate| key_digest(certificate).as_deref() == Some(self.digest.as_str()))
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
