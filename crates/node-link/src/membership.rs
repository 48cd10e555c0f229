//! What a node keeps of its identity: its key, and what it got for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Timestamp;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use crate::messages::CertificateAnswer;
use crate::private_file;

const KEY_FILE: &str = "node.key";
const FILE: &str = "membership.json";

/// Why a node has no identity.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// A file cannot be read or written.
    #[error("cannot use `{}` for the node's identity: check its owner and the free space", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("`{}` cannot be read: remove it and join again with a new token", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// There is no key.
    #[error("the node's key cannot be made")]
    Key(#[source] rcgen::Error),
    /// The TLS library refuses the certificate.
    #[error("the TLS library refuses the node's certificate")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A node's place in a cluster. Printing it shows no key.
#[derive(Clone)]
pub struct Membership {
    directory: PathBuf,
    key: Arc<PrivatePkcs8KeyDer<'static>>,
    kept: Kept,
}

/// The file beside the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) instance_id: String,
    pub(crate) cluster: String,
    /// The authority's certificate (PEM).
    pub(crate) authority: String,
    pub(crate) certificate: CertificateAnswer,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Membership {
    /// What `directory` holds; `None` before the machine has joined.
    ///
    /// # Errors
    /// [`MembershipError`].
    pub fn open(directory: &Path) -> Result<Option<Self>, MembershipError> {
        let path = directory.join(FILE);
        let text = private_file::read(&path)
            .map_err(|source| MembershipError::File { path: path.clone(), source })?;
        let Some(text) = text else { return Ok(None) };
        let kept = serde_json::from_str(&text).map_err(|_| MembershipError::Content { path })?;
        let key = key(directory)?;
        Ok(Some(Self { directory: directory.to_owned(), key: Arc::new(key), kept }))
    }

    pub(crate) fn keep(
        directory: &Path,
        key: PrivatePkcs8KeyDer<'static>,
        kept: Kept,
    ) -> Result<Self, MembershipError> {
        let membership = Self { directory: directory.to_owned(), key: Arc::new(key), kept };
        membership.write()?;
        Ok(membership)
    }

    fn write(&self) -> Result<(), MembershipError> {
        let path = self.directory.join(FILE);
        let failed = |source| MembershipError::File { path: path.clone(), source };
        let text = serde_json::to_string(&self.kept).map_err(|error| failed(error.into()))?;
        private_file::write(&path, &text).map_err(failed)
    }

    /// The container instance's id.
    pub fn instance_id(&self) -> &str {
        &self.kept.instance_id
    }

    /// The cluster that the machine joined.
    pub fn cluster(&self) -> &str {
        &self.kept.cluster
    }

    /// Whether the certificate has ended: the control plane does not know the machine any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.kept.certificate.expires_at
    }

    /// When half of the certificate's time is over.
    pub(crate) fn renew_at(&self) -> Timestamp {
        let CertificateAnswer { issued_at, expires_at, .. } = &self.kept.certificate;
        let life = expires_at.as_epoch_ms().saturating_sub(issued_at.as_epoch_ms());
        Timestamp::from_epoch_ms(issued_at.as_epoch_ms().saturating_add(life / 2))
    }

    /// Takes a new certificate for the same key.
    pub(crate) fn renew(&mut self, certificate: CertificateAnswer) -> Result<(), MembershipError> {
        self.kept.certificate = certificate;
        self.write()
    }

    /// How to connect: TLS 1.3, trusting the authority only, with the node's certificate.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, MembershipError> {
        let content = || MembershipError::Content { path: self.directory.join(FILE) };
        let read =
            |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| content());
        let mut roots = RootCertStore::empty();
        roots.add(read(&self.kept.authority)?).map_err(|_| content())?;
        let chain = vec![read(&self.kept.certificate.certificate)?];
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| MembershipError::Tls(error.into()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| MembershipError::Tls(error.into()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The node's key in `directory`, made there the first time (mode 0600). It never leaves it.
pub(crate) fn key(directory: &Path) -> Result<PrivatePkcs8KeyDer<'static>, MembershipError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| MembershipError::File { path, source }
    };
    private_file::directory(directory).map_err(failed(directory))?;
    let path = directory.join(KEY_FILE);
    let known = private_file::read(&path).map_err(failed(&path))?;
    if let Some(pem) = known {
        return PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| MembershipError::Content { path });
    }
    let key = KeyPair::generate().map_err(MembershipError::Key)?;
    private_file::write(&path, &key.serialize_pem()).map_err(failed(&path))?;
    Ok(PrivatePkcs8KeyDer::from(key.serialize_der()))
}
