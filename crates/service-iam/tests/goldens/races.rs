//! What is in use is not deleted, however many ask at once; and what is too large is said to be so.

use serde_json::json;

use crate::world::World;

const TRUST: &str = "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"sts:AssumeRole\"}}";
const POLICY: &str = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";

/// One with a role, a policy and an instance profile.
async fn world() -> World {
    let world = World::new().await;
    let role = json!({ "RoleName": "deploy", "AssumeRolePolicyDocument": TRUST });
    world.ok("CreateRole", role).await;
    let policy = json!({ "PolicyName": "all", "PolicyDocument": POLICY });
    world.ok("CreatePolicy", policy).await;
    world.ok("CreateInstanceProfile", json!({ "InstanceProfileName": "node" })).await;
    world
}

#[tokio::test]
async fn what_comes_into_use_is_not_deleted_at_the_same_time() {
    let arn = "arn:aws:iam::123456789012:policy/all";
    let attached = json!({ "RoleName": "deploy", "PolicyArn": arn });
    let bound = json!({ "RoleName": "deploy", "PermissionsBoundary": arn });
    let added = json!({ "RoleName": "deploy", "InstanceProfileName": "node" });
    for (uses, used, deletes, deleted) in [
        ("AttachRolePolicy", attached, "DeletePolicy", json!({ "PolicyArn": arn })),
        ("PutRolePermissionsBoundary", bound, "DeletePolicy", json!({ "PolicyArn": arn })),
        ("AddRoleToInstanceProfile", added, "DeleteRole", json!({ "RoleName": "deploy" })),
    ] {
        for _ in 0..20 {
            let world = world().await;
            let ((one, _), (other, _)) =
                tokio::join!(world.call(uses, used.clone()), world.call(deletes, deleted.clone()));
            assert!(matches!((one, other), (200, 409) | (404, 200)), "{uses}: {one} {other}");
        }
    }
}

#[tokio::test]
async fn a_role_whose_policies_are_mostly_white_space_has_a_largest_size() {
    let world = world().await;
    let document = format!("{POLICY}{}", " ".repeat(20_000));
    let mut last = (200, String::new());
    for number in 0..6 {
        let name = format!("inline{number}");
        let request =
            json!({ "RoleName": "deploy", "PolicyName": name, "PolicyDocument": document });
        last = world.call("PutRolePolicy", request).await;
    }
    let (status, body) = last;
    assert!(status == 409 && body.contains("<Code>LimitExceeded</Code>"), "{status} {body}");
}
