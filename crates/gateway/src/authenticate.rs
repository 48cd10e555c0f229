//! Who signed a request.

use std::fmt;
use std::sync::Arc;

use policy::Principal;
use sigv4::{ParsedSignature, SecretKey, SignatureError};

/// An access key, its secret and its owner.
#[derive(Debug)]
pub struct Credential {
    /// The secret that requests are signed with.
    pub secret: SecretKey,
    /// For temporary credentials, the token that must come with them.
    pub session_token: Option<SecretKey>,
    /// Whose they are.
    pub principal: Arc<Principal>,
}

/// Where access keys are found.
pub trait Credentials: Send + Sync {
    /// The credential with this access key id, if there is one and it is active.
    fn lookup(&self, access_key_id: &str) -> Option<Arc<Credential>>;
}

/// The one access key of the account's root.
pub struct RootCredentials {
    access_key_id: String,
    credential: Arc<Credential>,
}

impl RootCredentials {
    /// The root's key.
    pub fn new(access_key_id: String, secret: SecretKey, principal: Principal) -> Self {
        let principal = Arc::new(principal);
        let credential = Arc::new(Credential { secret, session_token: None, principal });
        Self { access_key_id, credential }
    }
}

impl Credentials for RootCredentials {
    fn lookup(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        (access_key_id == self.access_key_id).then(|| Arc::clone(&self.credential))
    }
}

impl fmt::Debug for RootCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// The credential that `signature` claims to be made with, its session token checked.
pub(crate) fn find(
    credentials: &dyn Credentials,
    signature: &ParsedSignature<'_>,
) -> Result<Arc<Credential>, SignatureError> {
    let credential =
        credentials.lookup(&signature.access_key_id).ok_or(SignatureError::UnknownAccessKey)?;
    let token_fits = match (&credential.session_token, &signature.session_token) {
        (None, None) => true,
        (Some(expected), Some(sent)) => expected.is(sent),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if token_fits { Ok(credential) } else { Err(SignatureError::UnknownAccessKey) }
}
