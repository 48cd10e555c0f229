//! IAM in this process: everything but sockets, disks and chance.

use std::sync::{Arc, Mutex};

use base::{AccountId, Clock, ManualClock, SeededIds, Timestamp};
use identity::{ActionUse, LastUse, Policies, Usage, Vault, VaultKey};
use operation::Service;
use serde_json::Value;
use service_iam::{CredentialReports, IamContext, IamService, Memory, RootKey};
use state::State;
use store::{HistoryLimits, MemoryStore, NoFaults};

/// A service over an empty state.
pub(crate) struct World {
    /// The service.
    pub(crate) service: IamService,
    clock: Arc<ManualClock>,
    uses: Arc<Uses>,
}

/// What the audit trail is said to know: the same of everything.
#[derive(Debug, Default)]
struct Uses {
    last: Mutex<Option<LastUse>>,
    actions: Mutex<Vec<ActionUse>>,
}

impl Usage for Uses {
    fn access_key(&self, _access_key_id: &str) -> Option<LastUse> {
        self.last.lock().unwrap().clone()
    }

    fn principal(&self, _arn: &str) -> Option<LastUse> {
        self.last.lock().unwrap().clone()
    }

    fn actions(&self, _arn: &str) -> Vec<ActionUse> {
        self.actions.lock().unwrap().clone()
    }

    fn principals(&self, _account: &AccountId) -> Vec<String> {
        Vec::new()
    }
}

impl World {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
        let (state, follower) = State::open(Arc::new(store)).await.unwrap();
        tokio::spawn(follower.run());
        let clock = Arc::new(ManualClock::new(goldens::START));
        let uses = Arc::new(Uses::default());
        let goldens_scope = goldens::scope();
        let root_key = RootKey {
            account: goldens_scope.account,
            access_key_id: "AKIAROOTROOTROOTROOT".to_owned(),
        };
        let service = IamService::new(IamContext {
            state,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(SeededIds::new(1)),
            vault: Arc::new(Vault::new(&VaultKey::generate(&SeededIds::new(2))).unwrap()),
            policies: Arc::new(Policies::new().unwrap()),
            usage: Arc::clone(&uses) as Arc<dyn Usage>,
            region: goldens_scope.region,
            root_key: Some(root_key),
            reports: CredentialReports::default(),
            memory: Memory::default(),
        });
        Self { service, clock, uses }
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
        assert_eq!(name, "used", "no step has a member `{name}`");
        let at = Timestamp::from_epoch_ms(members["at_ms"].as_i64().unwrap());
        let actions = members["actions"].as_array().into_iter().flatten();
        *self.uses.actions.lock().unwrap() = actions
            .map(|action| ActionUse {
                action: action.as_str().unwrap().to_owned(),
                resource: "*".to_owned(),
                last_used_at: at,
                count: 1,
            })
            .collect();
        *self.uses.last.lock().unwrap() = Some(LastUse {
            at,
            region: members["region"].as_str().unwrap().to_owned(),
            service: members["service"].as_str().unwrap().to_owned(),
        });
    }
}
