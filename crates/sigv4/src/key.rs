//! Secrets, and the keys derived from them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{constant_time, hmac};
use zeroize::{Zeroize, Zeroizing};

/// A secret access key. Overwritten when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// Takes over the secret.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself, for the file that hands it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `text` is the secret, in a time that depends on their lengths only.
    pub fn is(&self, text: &str) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_bytes(), text.as_bytes()).is_ok()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// Derives the signing key for `date/region/service`.
pub(crate) fn derive(secret: &SecretKey, date: &str, region: &str, service: &str) -> hmac::Key {
    let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.0.len()));
    first.extend_from_slice(b"AWS4");
    first.extend_from_slice(secret.0.as_bytes());
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, &first);
    for step in [date, region, service, "aws4_request"] {
        let tag = hmac::sign(&key, step.as_bytes());
        let mut bytes = Zeroizing::new([0_u8; 32]);
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        key = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
        bytes.zeroize();
    }
    key
}

/// Derived signing keys of recent callers, so that a request costs two hashes instead of seven.
///
/// Holds at most the number of keys given to [`SigningKeys::new`]; the oldest leaves first. A key
/// enters only after a signature made with it was right, so strangers cannot push others out.
pub struct SigningKeys {
    capacity: usize,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// By `access-key-id/date/region/service`.
    by_scope: BTreeMap<Arc<str>, Entry>,
    by_age: VecDeque<Arc<str>>,
}

struct Entry {
    /// The secret that the key came from: a changed secret makes the entry worthless.
    secret: SecretKey,
    key: hmac::Key,
}

impl SigningKeys {
    /// An empty cache of at most `capacity` keys.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, known: RwLock::default() }
    }

    /// Whether `tag` is the signature of `text`. `credential` is
    /// `access-key-id/date/region/service`.
    pub(crate) fn verify(
        &self,
        credential: &str,
        secret: &SecretKey,
        text: &[u8],
        tag: &[u8; 32],
    ) -> bool {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = known.by_scope.get(credential)
                && entry.secret.is(secret.expose())
            {
                return hmac::verify(&entry.key, text, tag).is_ok();
            }
        }
        let mut scope = credential.rsplit('/');
        let (Some(service), Some(region), Some(date)) = (scope.next(), scope.next(), scope.next())
        else {
            return false;
        };
        let key = derive(secret, date, region, service);
        let right = hmac::verify(&key, text, tag).is_ok();
        if right {
            self.remember(credential, Entry { secret: secret.clone(), key });
        }
        right
    }

    fn remember(&self, credential: &str, entry: Entry) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = credential.into();
        if known.by_scope.insert(Arc::clone(&name), entry).is_none() {
            known.by_age.push_back(name);
        }
        while known.by_age.len() > self.capacity {
            if let Some(oldest) = known.by_age.pop_front() {
                known.by_scope.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_scope.len()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
