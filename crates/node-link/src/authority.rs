//! The authority that issues the certificates of nodes, and the control plane's own for them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{IdSource, Timestamp};
use node_proto::digest_of;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use crate::certificate::{NodePublicKey, SERVER_NAME, node_uri};
use crate::private_file;

/// How long the authority is good, in days: nodes keep its certificate.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// How long the control plane's own certificate is good, in days: a new one is made at each start.
const SERVER_DAYS: i64 = 10 * 365;
/// How long a node's certificate is good, in seconds.
pub(crate) const NODE_SECONDS: i64 = 24 * 60 * 60;
/// Certificates begin this long ago, in seconds, for machines whose clock is behind.
const EARLY_SECONDS: i64 = 60 * 60;

const KEY_FILE: &str = "authority.key";
const CERTIFICATE_FILE: &str = "authority.pem";

/// The authority for nodes. Printing it shows no key.
pub struct NodeAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    digest: String,
}

/// Why there is no authority or no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("cannot use `{}` for the authority of nodes: check its owner and the free space", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A certificate cannot be read.
    #[error("`{}` holds no certificate: restore it; without it no node can connect", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// A key or a certificate cannot be made.
    #[error("the authority of nodes cannot make {0}")]
    Make(&'static str, #[source] rcgen::Error),
    /// The TLS library refuses the certificates.
    #[error("the TLS library refuses the certificates of the node protocol")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A certificate for a node.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// The certificate.
    pub(crate) pem: String,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

impl std::fmt::Debug for NodeAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeAuthority").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl NodeAuthority {
    /// The authority in `directory`, made (files of mode 0600) if there is none.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::File { path, source }
        };
        private_file::directory(directory).map_err(failed(directory))?;
        let (key_path, path) = (directory.join(KEY_FILE), directory.join(CERTIFICATE_FILE));
        let known = private_file::read(&key_path).map_err(failed(&key_path))?;
        let make = |what| move |source| AuthorityError::Make(what, source);
        let key = match &known {
            Some(pem) => KeyPair::from_pem(pem).map_err(make("use of its key"))?,
            None => {
                let key = KeyPair::generate().map_err(make("a key"))?;
                private_file::write(&key_path, &key.serialize_pem()).map_err(failed(&key_path))?;
                key
            }
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("Portcullis node authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, now, AUTHORITY_DAYS.saturating_mul(86_400));
        // A certificate that outlived its key is worth nothing.
        let written = private_file::read(&path).map_err(failed(&path))?;
        let pem = match written.filter(|_| known.is_some()) {
            Some(pem) => pem,
            None => {
                let certificate = params.self_signed(&key).map_err(make("its certificate"))?;
                let pem = certificate.pem();
                private_file::write(&path, &pem).map_err(failed(&path))?;
                pem
            }
        };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes());
        let certificate = certificate.map_err(|_| AuthorityError::Certificate { path })?;
        let digest = digest_of(&key.subject_public_key_info());
        Ok(Self { issuer: Issuer::new(params, key), certificate, pem, digest })
    }

    /// SHA-256 of the authority's public key, 64 hexadecimal digits: what join tokens carry.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The authority's certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for 24 hours that says that `key` is this instance's.
    pub(crate) fn issue(
        &self,
        instance_id: &str,
        key: &NodePublicKey,
        ids: &dyn IdSource,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let make = |source| AuthorityError::Make("a node's certificate", source);
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(instance_id);
        let uri = node_uri(instance_id).try_into().map_err(make)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(ids));
        validity(&mut params, now, NODE_SECONDS);
        let certificate = params.signed_by(key, &self.issuer).map_err(make)?;
        Ok(Issued { pem: certificate.pem(), expires_at: now.plus_seconds(NODE_SECONDS) })
    }

    /// How the control plane serves nodes: TLS 1.3, with a certificate from this authority, and
    /// clients that have one from it or none.
    pub(crate) fn server_config(
        &self,
        ids: &dyn IdSource,
        now: Timestamp,
    ) -> Result<ServerConfig, AuthorityError> {
        let make = |source| AuthorityError::Make("the control plane's certificate", source);
        let key = KeyPair::generate().map_err(make)?;
        let mut params = CertificateParams::new([SERVER_NAME.to_owned()]).map_err(make)?;
        params.distinguished_name = common_name("Portcullis control plane");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(ids));
        validity(&mut params, now, SERVER_DAYS.saturating_mul(86_400));
        let certificate = params.signed_by(&key, &self.issuer).map_err(make)?;
        // The authority's own certificate goes along: a joining node knows its key's digest only.
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(|error| AuthorityError::Tls(error.into()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .map_err(|error| AuthorityError::Tls(error.into()))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| AuthorityError::Tls(error.into()))?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|error| AuthorityError::Tls(error.into()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every connection shows its certificate anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn serial_number(ids: &dyn IdSource) -> SerialNumber {
    // Positive, as RFC 5280 wants it.
    let high = ids.next_u64() & (u64::MAX >> 1);
    SerialNumber::from([high.to_be_bytes(), ids.next_u64().to_be_bytes()].concat())
}

fn validity(params: &mut CertificateParams, now: Timestamp, seconds: i64) {
    let at = |moment: Timestamp| {
        let milliseconds = u64::try_from(moment.as_epoch_ms()).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(milliseconds)
    };
    params.not_before = at(now.plus_seconds(EARLY_SECONDS.saturating_neg()));
    params.not_after = at(now.plus_seconds(seconds));
}
