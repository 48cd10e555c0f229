//! What every operation answers: the cases of `tests/wire/portcullis`, whose steps may also be
//!
//! - `{"node": {…}}`: a machine joins with the newest token; members of its identity may be given;
//! - `{"finding": {…}}`: something is detected; members of the finding may be given;
//! - `{"user": {…}}`: there is a user `ann`; members of the user may be given.
//!
//! The audit trail says that `ann` has listed tasks on two instances and started one task.

#[cfg(test)]
mod cases {
    use std::sync::Arc;

    use access_report::ActionUse;
    use base::{AccountId, Clock, ManualClock, SeededIds};
    use iam::{Finding, NodeIdentity, User};
    use identity::{LastUse, Policies, Usage};
    use operation::Service;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use service_portcullis::{PortcullisContext, PortcullisService};
    use state::{Change, State};
    use store::{HistoryLimits, MemoryStore, NoFaults};

    struct World {
        service: PortcullisService,
        clock: Arc<ManualClock>,
    }

    impl World {
        async fn new() -> Self {
            let store = MemoryStore::new(HistoryLimits::default(), Arc::new(NoFaults));
            let (state, follower) = State::open(Arc::new(store)).await.unwrap();
            tokio::spawn(follower.run());
            let clock = Arc::new(ManualClock::new(goldens::START));
            let service = PortcullisService::new(PortcullisContext {
                state,
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
                ids: Arc::new(SeededIds::new(1)),
                scope: goldens::scope(),
                policies: Arc::new(Policies::new().unwrap()),
                usage: Arc::new(Trail),
                node_authority_digest: Some(node_proto::digest_of(b"authority")),
            });
            Self { service, clock }
        }
    }

    /// What the audit trail says.
    #[derive(Debug)]
    struct Trail;

    impl Usage for Trail {
        fn access_key(&self, _access_key_id: &str) -> Option<LastUse> {
            None
        }

        fn principal(&self, _arn: &str) -> Option<LastUse> {
            None
        }

        fn actions(&self, arn: &str) -> Vec<ActionUse> {
            let one = |action: &str, resource: &str| ActionUse {
                action: action.to_owned(),
                resource: format!("arn:aws:ecs:us-east-1:123456789012:{resource}"),
                last_used_at: goldens::START,
                count: 3,
            };
            if arn != "arn:aws:iam::123456789012:user/ann" {
                return Vec::new();
            }
            vec![
                one("ecs:ListTasks", "container-instance/web/0123456789abcdef0123456789abcdef"),
                one("ecs:ListTasks", "container-instance/web/1123456789abcdef0123456789abcdef"),
                one("ecs:RunTask", "task-definition/web:1"),
            ]
        }

        fn principals(&self, _account: &AccountId) -> Vec<String> {
            Vec::new()
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
            let now = self.clock.now();
            let mut change = Change::new();
            let state = &self.service.context().state;
            match name {
                "node" => change.create(&with(
                    &NodeIdentity {
                        instance_id: "0123456789abcdef0123456789abcdef".to_owned(),
                        cluster: "default".to_owned(),
                        key_digest: node_proto::digest_of(b"key"),
                        join_token: "00".repeat(16),
                        joined_at: now,
                        certificate_expires_at: now.plus_seconds(86_400),
                        revoked: false,
                    },
                    members,
                )),
                "user" => change.create(&with(
                    &User {
                        account: goldens::scope().account,
                        name: "ann".to_owned(),
                        path: "/".to_owned(),
                        id: "AIDAAAAAAAAAAAAAAAAAA".to_owned(),
                        created_at: now,
                        inline_policies: std::collections::BTreeMap::new(),
                        attached_policies: std::collections::BTreeSet::new(),
                        permissions_boundary: None,
                        groups: std::collections::BTreeSet::new(),
                        tags: iam::Tags::new(),
                    },
                    members,
                )),
                "finding" => change.create(&with(
                    &Finding {
                        id: "0b7a2a4e-0000-4000-8000-000000000001".to_owned(),
                        rule: "DET-005".to_owned(),
                        severity: "CRITICAL".to_owned(),
                        title: "A task's credentials were used from elsewhere.".to_owned(),
                        resource: "arn:aws:iam::123456789012:role/reader".to_owned(),
                        principal: None,
                        evidence: [("sourceIPAddress".to_owned(), "192.0.2.1".to_owned())].into(),
                        first_seen_at: now,
                        last_seen_at: now,
                        archived: false,
                    },
                    members,
                )),
                other => panic!("no step has a member `{other}`"),
            }
            state.commit(change).await.unwrap();
        }
    }

    /// `record` with `members` instead of its own.
    fn with<T: Serialize + DeserializeOwned>(record: &T, members: &Value) -> T {
        let mut value = serde_json::to_value(record).unwrap();
        for (name, member) in members.as_object().unwrap() {
            value[name] = member.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn every_answer_is_as_recorded() {
        goldens::every_answer_is_as_recorded("portcullis", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_can_be_denied() {
        goldens::every_operation_can_be_denied("portcullis", World::new).await;
    }

    #[tokio::test]
    async fn every_operation_has_a_success_and_an_error_case() {
        goldens::every_operation_has_its_cases("portcullis", &World::new().await, &[]);
    }
}
