use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::{ManualClock, Timestamp};
use futures_util::future::BoxFuture;
use iam::OpenIdConnectProvider;

use crate::provider_keys::KeysError;
use crate::{FetchError, KeyFetcher, ProviderKeys};

/// Answers as told, and counts how often keys were asked for.
#[derive(Debug)]
struct Documents {
    discovery: &'static str,
    keys: &'static str,
    asked: AtomicUsize,
}

impl KeyFetcher for Documents {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        _thumbprints: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        let text = if url == "https://id.example.com/.well-known/openid-configuration" {
            self.discovery
        } else {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.keys
        };
        Box::pin(std::future::ready(Ok(text.into())))
    }
}

const DISCOVERY: &str =
    r#"{"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/keys"}"#;
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "one",
    "x": "fsFdYNkSldnWZ8bIPJVO2GCMHGhqrG0nnNZ3wcfiuEU",
    "y": "2P06-Cn4t3DGWoEYKrwxQxN7WmpvKRcGu0OJphGq32Q"}]}"#;

fn provider() -> OpenIdConnectProvider {
    OpenIdConnectProvider {
        account: "123456789012".parse().unwrap(),
        issuer: "id.example.com".to_owned(),
        client_ids: std::collections::BTreeSet::new(),
        thumbprints: Vec::new(),
        created_at: Timestamp::default(),
        tags: iam::Tags::new(),
    }
}

fn keys(
    discovery: &'static str,
    keys: &'static str,
) -> (ProviderKeys, Arc<Documents>, Arc<ManualClock>) {
    let documents = Arc::new(Documents { discovery, keys, asked: AtomicUsize::new(0) });
    let clock = Arc::new(ManualClock::default());
    let (fetcher, time) = (Arc::<Documents>::clone(&documents), Arc::<ManualClock>::clone(&clock));
    (ProviderKeys::new(fetcher, time), documents, clock)
}

#[tokio::test]
async fn a_provider_is_asked_once_an_hour_and_once_a_minute_for_what_it_does_not_have() {
    let (keys, documents, clock) = keys(DISCOVERY, KEYS);
    for (wait_ms, id, found, asked) in [
        (0, Some("one"), true, 1),
        (0, Some("two"), false, 1),
        (59_999, Some("two"), false, 1),
        (1, Some("two"), false, 2),
        (0, Some("one"), true, 2),
        (0, None, true, 2),
        (3_599_999, Some("one"), true, 2),
        (1, Some("one"), true, 3),
    ] {
        clock.advance_ms(wait_ms);
        let key = keys.key(&provider(), id).await;
        assert_eq!(key.is_ok(), found, "{id:?} after {wait_ms} ms: {key:?}");
        assert_eq!(documents.asked.load(Ordering::SeqCst), asked, "{id:?} after {wait_ms} ms");
    }
}

#[tokio::test]
async fn what_a_provider_may_not_publish_is_not_believed() {
    for (discovery, documents) in [
        ("{}", KEYS),
        (r#"{"issuer": "https://other", "jwks_uri": "https://id.example.com/keys"}"#, KEYS),
        (r#"{"issuer": "https://id.example.com", "jwks_uri": "http://id.example.com/keys"}"#, KEYS),
        (DISCOVERY, "[]"),
    ] {
        let (keys, _, _) = keys(discovery, documents);
        let error = keys.key(&provider(), Some("one")).await.unwrap_err();
        assert!(matches!(error, KeysError::Content { .. }), "{discovery}: {error}");
    }
}

#[test]
fn a_code_of_a_second_factor_goes_on_no_record() {
    let code = Some("123456".to_owned());
    let role = api_sts::types::AssumeRoleRequest { token_code: code.clone(), ..Default::default() };
    let token = api_sts::types::GetSessionTokenRequest { token_code: code, ..Default::default() };
    for recorded in [wire::record(&role, 1000), wire::record(&token, 1000)] {
        let wire::Recorded::Json(text) = recorded else { panic!("{recorded:?}") };
        assert!(text.contains(wire::HIDDEN) && !text.contains("123456"), "{text}");
    }
    assert!(!format!("{role:?} {token:?}").contains("123456"));
}
