//! What refers to something follows it when it is renamed, and keeps it from being deleted.

use iam::{Group, MfaDevice, Sealed, User};
use proptest::prelude::*;
use serde_json::{Value, json};
use state::{Change, Record};

use crate::world::World;

impl World {
    /// Calls as root with the members of `request`; status and body.
    pub(crate) async fn call(&self, operation: &str, request: Value) -> (u16, String) {
        let members = request.as_object().unwrap().iter();
        let form = members.map(|(name, value)| format!("&{name}={}", value.as_str().unwrap()));
        let form = form.collect::<String>().replace(' ', "+");
        let body = format!("Action={operation}&Version=2010-05-08{form}");
        let response = goldens::call(&self.service, operation, body).await;
        (response.status, String::from_utf8(response.body).unwrap())
    }

    /// Calls what must succeed.
    pub(crate) async fn ok(&self, operation: &str, request: Value) -> String {
        let (status, body) = self.call(operation, request).await;
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    async fn create<T: Record>(&self, record: &T) {
        let mut change = Change::new();
        change.create(record);
        self.service.context().state.commit(change).await.unwrap();
    }

    /// A second factor of `user`, without a secret.
    async fn give_mfa_device(&self, name: &str, user: Option<&str>) {
        self.create(&MfaDevice {
            account: goldens::scope().account,
            name: name.to_owned(),
            path: "/".to_owned(),
            seed: Sealed(Vec::new()),
            created_at: goldens::START,
            user: user.map(str::to_owned),
            enabled_at: user.map(|_| goldens::START),
            last_step: 0,
            drift_steps: 0,
            tags: iam::Tags::new(),
        })
        .await;
    }

    fn user(&self, name: &str) -> User {
        let view = self.service.context().state.view();
        let key = iam::key(&goldens::scope().account, name);
        view.identities().user(&key).unwrap().value.as_ref().clone()
    }

    fn group(&self, name: &str) -> Group {
        let view = self.service.context().state.view();
        let key = iam::key(&goldens::scope().account, name);
        view.identities().group(&key).unwrap().value.as_ref().clone()
    }

    /// Names of the users that keys and second factors say they are of.
    fn owners(&self) -> Vec<String> {
        let view = self.service.context().state.view();
        let identities = view.identities();
        let keys = identities.access_keys().map(|key| key.user.clone());
        let devices = identities.mfa_devices().filter_map(|device| device.user.clone());
        keys.chain(devices).collect()
    }
}

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}"#;
const AWS_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

#[tokio::test]
async fn a_user_with_anything_cannot_be_deleted() {
    let check = async |made: &[(&str, Value)], expected: &str| {
        let world = World::new().await;
        world.ok("CreateUser", json!({ "UserName": "ann" })).await;
        world.ok("CreateGroup", json!({ "GroupName": "ops" })).await;
        for (operation, request) in made {
            world.ok(operation, request.clone()).await;
        }
        let (status, body) = world.call("DeleteUser", json!({ "UserName": "ANN" })).await;
        assert!(status == 409 && body.contains("<Code>DeleteConflict</Code>"), "{body}");
        assert!(body.contains(expected), "{expected} is not in {body}");
    };
    check(&[("CreateAccessKey", json!({ "UserName": "ann" }))], "must delete access keys").await;
    check(
        &[("AddUserToGroup", json!({ "UserName": "ann", "GroupName": "ops" }))],
        "must remove users from group",
    )
    .await;
    check(
        &[("AttachUserPolicy", json!({ "UserName": "ann", "PolicyArn": AWS_POLICY }))],
        "must detach all policies",
    )
    .await;
    check(
        &[(
            "PutUserPolicy",
            json!({ "UserName": "ann", "PolicyName": "own", "PolicyDocument": POLICY }),
        )],
        "must delete policies",
    )
    .await;

    let world = World::new().await;
    world.ok("CreateUser", json!({ "UserName": "ann" })).await;
    world.give_mfa_device("phone", Some("ann")).await;
    let (status, body) = world.call("DeleteUser", json!({ "UserName": "ann" })).await;
    assert!(status == 409 && body.contains("must delete MFA device first"), "{body}");
}

#[tokio::test]
async fn a_renamed_group_keeps_its_users_up_to_a_number() {
    let world = World::new().await;
    world.ok("CreateGroup", json!({ "GroupName": "ops" })).await;
    for number in 0..60 {
        let user = format!("user{number}");
        world.ok("CreateUser", json!({ "UserName": user })).await;
        world.ok("AddUserToGroup", json!({ "UserName": user, "GroupName": "OPS" })).await;
    }
    world.ok("UpdateGroup", json!({ "GroupName": "ops", "NewGroupName": "sre" })).await;
    for number in 0..60 {
        assert_eq!(world.user(&format!("user{number}")).groups, ["sre".to_owned()].into());
    }
    world.ok("CreateUser", json!({ "UserName": "more" })).await;
    world.ok("AddUserToGroup", json!({ "UserName": "more", "GroupName": "sre" })).await;
    let request = json!({ "GroupName": "sre", "NewGroupName": "ops" });
    let (status, body) = world.call("UpdateGroup", request).await;
    assert!(status == 409 && body.contains("<Code>LimitExceeded</Code>"), "{body}");
    assert_eq!(world.user("more").groups, ["sre".to_owned()].into());
    // The path is in no other record.
    world.ok("UpdateGroup", json!({ "GroupName": "sre", "NewPath": "/a/" })).await;
    assert_eq!(world.group("sre").path, "/a/");
}

#[tokio::test]
async fn a_user_has_two_keys_however_many_are_asked_for_at_once() {
    let world = World::new().await;
    world.ok("CreateUser", json!({ "UserName": "ann" })).await;
    let one = || world.call("CreateAccessKey", json!({ "UserName": "ann" }));
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    let mut statuses = [a.0, b.0, c.0, d.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 409, 409]);
    assert_eq!(world.owners().len(), 2);
}

#[tokio::test]
async fn a_user_that_gets_a_key_is_not_deleted_at_the_same_time() {
    for _ in 0..20 {
        let world = World::new().await;
        world.ok("CreateUser", json!({ "UserName": "ann" })).await;
        let (made, deleted) = tokio::join!(
            world.call("CreateAccessKey", json!({ "UserName": "ann" })),
            world.call("DeleteUser", json!({ "UserName": "ann" })),
        );
        assert!(made.0 != deleted.0, "{made:?} {deleted:?}");
        assert_eq!(world.owners().len(), usize::from(made.0 == 200));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_a_user_has_follows_its_name(
        keys in 0_usize..=2,
        devices in 0_usize..=8,
        groups in 0_usize..=10,
        names in proptest::collection::vec("[aAbB]{1,3}", 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            world.ok("CreateUser", json!({ "UserName": "first" })).await;
            for _ in 0..keys {
                world.ok("CreateAccessKey", json!({ "UserName": "first" })).await;
            }
            for number in 0..devices {
                world.give_mfa_device(&format!("device{number}"), Some("first")).await;
            }
            world.give_mfa_device("spare", None).await;
            for number in 0..groups {
                let group = format!("group{number}");
                world.ok("CreateGroup", json!({ "GroupName": group })).await;
                world.ok("AddUserToGroup", json!({ "UserName": "first", "GroupName": group })).await;
            }
            let before = world.user("first");
            let mut now = "first".to_owned();
            for name in names {
                world.ok("UpdateUser", json!({ "UserName": now, "NewUserName": name })).await;
                now = name;
                let after = world.user(&now);
                assert_eq!(after, User { name: now.clone(), ..before.clone() });
                assert_eq!(world.owners(), vec![now.clone(); keys + devices]);
            }
            let (status, _) = world.call("GetUser", json!({ "UserName": "first" })).await;
            assert_eq!(status, 404);
        });
    }
}
