//! The log's own key.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base::IdSource;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::AuditError;

const KEY: &str = "key";
/// The file name of the public key, beside the key.
pub(crate) const PUBLIC_KEY: &str = "public-key.pem";
/// What precedes the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// What signatures of an audit log are verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key in a PEM text, as openssl writes it; `None` for anything but an Ed25519 key.
    pub fn from_pem(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let inner: String = inner.split_whitespace().collect();
        let der = STANDARD.decode(inner).ok()?;
        der.strip_prefix(&SPKI)?.try_into().ok().map(Self)
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        let mut der = SPKI.to_vec();
        der.extend_from_slice(&self.0);
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// Whether `signature` (hexadecimal) is this key's for `message`.
    pub(crate) fn has_signed(&self, message: &str, signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        hex::decode(signature)
            .is_ok_and(|signature| key.verify(message.as_bytes(), &signature).is_ok())
    }
}

/// The key that signs.
pub(crate) struct AuditKey {
    pair: Ed25519KeyPair,
    pub(crate) public: PublicKey,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl AuditKey {
    /// The key in `directory`, made if there is none and `is_new`.
    pub(crate) fn keep(
        directory: &Path,
        is_new: bool,
        ids: &dyn IdSource,
    ) -> Result<Self, AuditError> {
        let path = directory.join(KEY);
        let wrong = |problem| AuditError::Key { path: path.clone(), problem };
        let mut seed = Zeroizing::new([0; 32]);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => {
                let decoded = hex::decode_to_slice(text.trim_end(), seed.as_mut_slice());
                decoded.map_err(|_| wrong("is not 64 hexadecimal digits"))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_new => {
                for chunk in seed.chunks_mut(8) {
                    chunk.copy_from_slice(&ids.next_u64().to_ne_bytes());
                }
                let text = Zeroizing::new(hex::encode(seed.as_slice()));
                replace(&path, text.as_bytes())?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong("is missing"));
            }
            Err(error) => return Err(AuditError::io("read", &path)(error)),
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| wrong("is no Ed25519 key"))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| wrong("is no key"))?;
        let key = Self { pair, public: PublicKey(public) };
        replace(&directory.join(PUBLIC_KEY), key.public.to_pem().as_bytes())?;
        Ok(key)
    }

    /// The signature of `message`, hexadecimal.
    pub(crate) fn sign(&self, message: &str) -> String {
        hex::encode(self.pair.sign(message.as_bytes()))
    }
}

/// Writes a file of mode 0600 in one step, durably.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), AuditError> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().map_err(AuditError::io("write", path))
}
