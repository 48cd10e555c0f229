//! STS over a state in memory. Steps have members of their own:
//!
//! - `"role": {"name": "deploy", "trust": DOCUMENT}`, with `"tags"` and `"max_session_duration_s"`;
//! - `"managed_policy": {"name": "reader", "document": DOCUMENT}`;
//! - `"mfa_device": {"name": "phone", "user": "ann"}`, whose seed is that of RFC 6238's examples;
//! - `"provider": {"issuer": "id.example.com/tenant", "client_ids": ["my-app"]}`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{ManualClock, SeededIds, Timestamp};
use futures_util::future::BoxFuture;
use iam::{ManagedPolicy, MfaDevice, OpenIdConnectProvider, PolicyVersion, Role};
use identity::{Directory, Policies, RootAccessKey, Sessions, Vault, VaultKey, mfa_purpose};
use operation::Service;
use serde_json::Value;
use service_sts::{FetchError, KeyFetcher, MfaAttempts, ProviderKeys, StsContext, StsService};
use state::{Change, State};
use store::{HistoryLimits, MemoryStore, NoFaults};

const ACCOUNT: &str = "123456789012";
const SEED: &[u8] = b"12345678901234567890";
/// The key that the tokens in the cases are signed with; nobody has its other half any more.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
    "kid": "key-1", "x": "fsFdYNkSldnWZ8bIPJVO2GCMHGhqrG0nnNZ3wcfiuEU",
    "y": "2P06-Cn4t3DGWoEYKrwxQxN7WmpvKRcGu0OJphGq32Q"}]}"#;

pub(crate) struct World {
    service: StsService,
    state: Arc<State>,
    directory: Arc<Directory>,
    vault: Arc<Vault>,
    ids: Arc<SeededIds>,
    clock: Arc<ManualClock>,
}

/// Two documents of one provider.
#[derive(Debug)]
struct Documents;

impl KeyFetcher for Documents {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        _thumbprints: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<u8>, FetchError>> {
        let found = match url {
            "https://id.example.com/tenant/.well-known/openid-configuration" => Ok(
                r#"{"issuer": "https://id.example.com/tenant", "jwks_uri": "https://id.example.com/keys"}"#
                    .into(),
            ),
            "https://id.example.com/keys" => Ok(KEYS.into()),
            _ => Err(FetchError { url: url.to_owned(), reason: "nobody answers".to_owned() }),
        };
        Box::pin(std::future::ready(found))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        let clock = Arc::new(ManualClock::new(goldens::START));
        let ids = Arc::new(SeededIds::new(1));
        let vault = Arc::new(Vault::new(&VaultKey::generate(ids.as_ref())).unwrap());
        let (time, chance) = (Arc::<ManualClock>::clone(&clock), Arc::<SeededIds>::clone(&ids));
        let sessions = Arc::new(Sessions::new(Arc::clone(&vault), time, chance));
        let root = RootAccessKey {
            account: ACCOUNT.parse().unwrap(),
            access_key_id: "AKIAROOTROOTROOTROOT".to_owned(),
            secret: sigv4::SecretKey::new("secret".to_owned()),
        };
        let directory = Directory::new(
            Arc::clone(&state),
            Arc::clone(&vault),
            Arc::clone(&sessions),
            Arc::new(Policies::new().unwrap()),
            root,
        );
        let directory = Arc::new(directory);
        let service = StsService::new(StsContext {
            state: Arc::clone(&state),
            directory: Arc::clone(&directory),
            sessions,
            vault: Arc::clone(&vault),
            clock: Arc::<ManualClock>::clone(&clock),
            mfa_attempts: MfaAttempts::default(),
            scope: goldens::scope(),
            provider_keys: ProviderKeys::new(
                Arc::new(Documents),
                Arc::<ManualClock>::clone(&clock),
            ),
        });
        Self { service, state, directory, vault, ids, clock }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }
}

impl goldens::World for World {
    fn service(&self) -> &dyn Service {
        &self.service
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn set_up(&self, name: &str, members: &Value) {
        let mut change = Change::new();
        match name {
            "role" => change.create(&role(members)),
            "managed_policy" => change.create(&managed_policy(members)),
            "mfa_device" => change.create(&self.mfa_device(members)),
            "provider" => change.create(&provider(members)),
            _ => panic!("no step has a member `{name}`"),
        }
        self.state.commit(change).await.unwrap();
    }
}

fn text(members: &Value, name: &str) -> String {
    members[name].as_str().unwrap_or_else(|| panic!("`{name}` is missing")).to_owned()
}

fn tags(members: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(members["tags"].clone()).unwrap_or_default()
}

fn role(members: &Value) -> Role {
    let duration = members["max_session_duration_s"].as_u64().unwrap_or(3600);
    Role {
        account: ACCOUNT.parse().unwrap(),
        name: text(members, "name"),
        path: "/".to_owned(),
        id: "AROAEXAMPLE0000000002".to_owned(),
        created_at: Timestamp::default(),
        description: None,
        max_session_duration_s: duration.try_into().unwrap(),
        trust_policy: members["trust"].to_string(),
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::new(),
        permissions_boundary: None,
        tags: tags(members),
        linked_service: None,
    }
}

fn managed_policy(members: &Value) -> ManagedPolicy {
    let document = members["document"].to_string();
    let version = PolicyVersion { document, created_at: Timestamp::default() };
    ManagedPolicy {
        account: ACCOUNT.parse().unwrap(),
        name: text(members, "name"),
        path: "/".to_owned(),
        id: "ANPAEXAMPLE0000000001".to_owned(),
        description: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, version)]),
        tags: BTreeMap::new(),
    }
}

fn provider(members: &Value) -> OpenIdConnectProvider {
    OpenIdConnectProvider {
        account: ACCOUNT.parse().unwrap(),
        issuer: text(members, "issuer"),
        client_ids: serde_json::from_value(members["client_ids"].clone()).unwrap(),
        thumbprints: Vec::new(),
        created_at: Timestamp::default(),
        tags: BTreeMap::new(),
    }
}

impl World {
    fn mfa_device(&self, members: &Value) -> MfaDevice {
        let name = text(members, "name");
        let serial_number = format!("arn:aws:iam::{ACCOUNT}:mfa/{name}");
        let seed = self.vault.seal(&mfa_purpose(&serial_number), SEED, self.ids.as_ref());
        MfaDevice {
            account: ACCOUNT.parse().unwrap(),
            name,
            path: "/".to_owned(),
            seed: seed.unwrap(),
            created_at: Timestamp::default(),
            user: Some(text(members, "user")),
            enabled_at: Some(Timestamp::default()),
            last_step: 0,
            drift_steps: 0,
            tags: BTreeMap::new(),
        }
    }
}
