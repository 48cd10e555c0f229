//! The server's certificate, from an authority of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How long the authority is valid, in years: clients keep its certificate.
const AUTHORITY_YEARS: i16 = 20;
/// How long a server certificate is valid, in years: a new one is made at every start.
const SERVER_YEARS: i16 = 2;

const AUTHORITY_KEY: &str = "ca.key";
const AUTHORITY_CERTIFICATE: &str = "ca.pem";

/// A certificate and its key, ready to serve with.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    authority_path: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error(
        "cannot use `{path}` for the certificate authority: check its owner and the free space"
    )]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The key or the certificate cannot be made or read.
    #[error(
        "cannot make a certificate for `{names}` with the authority in `{directory}`: if its files are damaged, remove both and give clients the new `ca.pem`"
    )]
    Certificate {
        /// The names asked for.
        names: String,
        /// Where the authority is.
        directory: PathBuf,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },
    /// The TLS library refuses the certificate.
    #[error("the TLS library refuses the server's certificate")]
    Rustls(#[from] rustls::Error),
    /// The time is outside the calendar.
    #[error("`{0}` is not a date for a certificate: check the clock")]
    Time(Timestamp),
}

impl ServerTls {
    /// A new certificate for `names` (host names and addresses), signed by the authority in
    /// `directory`, which is made if there is none. All files get mode 0600.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be used or a name cannot be in a certificate.
    pub fn create(directory: &Path, names: &[String], now: Timestamp) -> Result<Self, TlsError> {
        let invalid = |source| TlsError::Certificate {
            names: names.join(", "),
            directory: directory.to_owned(),
            source,
        };
        let authority = authority(directory, now, &invalid)?;
        let key = KeyPair::generate().map_err(invalid)?;
        let mut params = CertificateParams::new(names).map_err(invalid)?;
        params.distinguished_name = common_name("Portcullis server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, SERVER_YEARS)?;
        let certificate = params.signed_by(&key, &authority).map_err(invalid)?;

        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let authority_path = directory.join(AUTHORITY_CERTIFICATE);
        Ok(Self { config: Arc::new(config), authority_path })
    }

    /// The authority's certificate (PEM) that clients must trust: `AWS_CA_BUNDLE`.
    pub fn authority_path(&self) -> &Path {
        &self.authority_path
    }

    pub(crate) fn config(self) -> Arc<ServerConfig> {
        self.config
    }
}

/// The authority in `directory`, made and written if there is none.
fn authority(
    directory: &Path,
    now: Timestamp,
    invalid: &impl Fn(rcgen::Error) -> TlsError,
) -> Result<Issuer<'static, KeyPair>, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Portcullis certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, AUTHORITY_YEARS)?;

    let (key_path, certificate_path) =
        (directory.join(AUTHORITY_KEY), directory.join(AUTHORITY_CERTIFICATE));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let (key, is_new) = match fs::read_to_string(&key_path) {
        Ok(pem) => (KeyPair::from_pem(&pem).map_err(invalid)?, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(failed(directory))?;
            let key = KeyPair::generate().map_err(invalid)?;
            write(&key_path, &key.serialize_pem()).map_err(failed(&key_path))?;
            (key, true)
        }
        Err(source) => return Err(TlsError::File { path: key_path, source }),
    };
    let has_certificate = match fs::metadata(&certificate_path) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(TlsError::File { path: certificate_path, source }),
    };
    // A certificate that outlived its key is worth nothing.
    if is_new || !has_certificate {
        let certificate = params.self_signed(&key).map_err(invalid)?;
        write(&certificate_path, &certificate.pem()).map_err(failed(&certificate_path))?;
    }
    Ok(Issuer::new(params, key))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// From the day before `now`, for clients whose clock is behind, for `years`.
fn validity(params: &mut CertificateParams, now: Timestamp, years: i16) -> Result<(), TlsError> {
    let date = |moment: Timestamp, years: i16| {
        let utc = jiff::Timestamp::from_millisecond(moment.as_epoch_ms())
            .map_err(|_| TlsError::Time(now))?
            .to_zoned(jiff::tz::TimeZone::UTC);
        let year = i32::from(utc.year().saturating_add(years));
        let month = u8::try_from(utc.month()).map_err(|_| TlsError::Time(now))?;
        // The 28th exists in every month of every year.
        let day = u8::try_from(utc.day().min(28)).map_err(|_| TlsError::Time(now))?;
        Ok::<_, TlsError>(rcgen::date_time_ymd(year, month, day))
    };
    params.not_before = date(now.plus_seconds(-86_400), 0)?;
    params.not_after = date(now, years)?;
    Ok(())
}

/// Writes a file of mode 0600 in one step, on disk before it has its name.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
