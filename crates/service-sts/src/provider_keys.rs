//! The keys that identity providers sign with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base::{Clock, Timestamp};
use iam::OpenIdConnectProvider;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;

use crate::{FetchError, KeyFetcher};

/// How long keys are believed.
const FRESH_MS: i64 = 60 * 60 * 1000;
/// How long after an attempt to fetch keys the next one is made.
const PAUSE_MS: i64 = 60 * 1000;
/// Of how many providers keys are kept.
const MAX_PROVIDERS: usize = 256;
/// How many keys of one provider are kept.
const MAX_KEYS: usize = 100;

/// The keys of identity providers, fetched when they are needed and kept for an hour. A provider is asked at
/// most once a minute, by one call at a time.
pub struct ProviderKeys {
    fetcher: Arc<dyn KeyFetcher>,
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Known>>>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeysError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("`{url}` is not what an identity provider publishes there: {reason}")]
    Content { url: String, reason: &'static str },
    #[error("the identity provider has no such key")]
    NoSuchKey,
}

/// The part of the discovery document that is needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl ProviderKeys {
    /// Keys that `fetcher` fetches.
    pub fn new(fetcher: Arc<dyn KeyFetcher>, clock: Arc<dyn Clock>) -> Self {
        Self { fetcher, clock, known: Mutex::default() }
    }

    /// The provider's key `id`; without an id its only key.
    ///
    /// # Errors
    /// When the provider cannot be asked, or has no such key.
    pub(crate) async fn key(
        &self,
        provider: &OpenIdConnectProvider,
        id: Option<&str>,
    ) -> Result<Jwk, KeysError> {
        let known = self.known(provider);
        let mut known = known.lock().await;
        let now = self.clock.now();
        let within = |moment: Option<Timestamp>, limit_ms| {
            moment.is_some_and(|moment| (0..limit_ms).contains(&now.ms_since(moment)))
        };
        let fresh = within(known.fetched_at, FRESH_MS);
        if let Some(key) = known.find(id).filter(|_| fresh) {
            return Ok(key.clone());
        }
        if within(known.tried_at, PAUSE_MS) {
            return Err(KeysError::NoSuchKey);
        }
        known.tried_at = Some(now);
        known.keys = self.fetch(provider).await?;
        known.fetched_at = Some(now);
        known.find(id).cloned().ok_or(KeysError::NoSuchKey)
    }

    fn known(&self, provider: &OpenIdConnectProvider) -> Arc<tokio::sync::Mutex<Known>> {
        // Accounts may trust one issuer by different certificates.
        let key = provider.arn();
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_PROVIDERS && !all.contains_key(&key) {
            all.pop_first();
        }
        Arc::clone(all.entry(key).or_default())
    }

    async fn fetch(&self, provider: &OpenIdConnectProvider) -> Result<Vec<Jwk>, KeysError> {
        let issuer = format!("https://{}", provider.issuer);
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let text = self.fetcher.fetch(&url, &provider.thumbprints).await?;
        let content = |url: &str, reason| KeysError::Content { url: url.to_owned(), reason };
        let discovery: Discovery = serde_json::from_slice(&text)
            .map_err(|_| content(&url, "it has no `issuer` and `jwks_uri`"))?;
        if discovery.issuer != issuer {
            return Err(content(&url, "its `issuer` is another"));
        }
        let url = discovery.jwks_uri;
        if !url.starts_with("https://") {
            return Err(content(&url, "keys are fetched over HTTPS only"));
        }
        let text = self.fetcher.fetch(&url, &provider.thumbprints).await?;
        let set: JwkSet =
            serde_json::from_slice(&text).map_err(|_| content(&url, "it is no set of keys"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(content(&url, "it has more than 100 keys"));
        }
        Ok(set.keys)
    }
}

impl Known {
    fn find(&self, id: Option<&str>) -> Option<&Jwk> {
        match (id, self.keys.as_slice()) {
            (Some(_), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == id),
            (None, [key]) => Some(key),
            (None, _) => None,
        }
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKeys").field("fetcher", &self.fetcher).finish_non_exhaustive()
    }
}
