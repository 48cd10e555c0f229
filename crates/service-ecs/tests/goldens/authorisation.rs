//! Who may do what, with policies as people write them.

use serde_json::{Value, json};

use crate::world::World;

const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:";
const ROLE: &str = "arn:aws:iam::123456789012:role/";

/// A world with an instance, the clusters `default` and `other`, and revision 1 of `web` with the
/// role `app`.
async fn world() -> World {
    let world = World::new().await;
    world.register(&json!({})).await;
    for cluster in ["default", "other"] {
        allowed(&world, "CreateCluster", json!({ "clusterName": cluster })).await;
    }
    allowed(&world, "RegisterTaskDefinition", definition("app")).await;
    world
}

fn definition(role: &str) -> Value {
    json!({ "family": "web", "taskRoleArn": format!("{ROLE}{role}"), "tags": [{ "key": "team",
        "value": "blue" }], "containerDefinitions": [{ "name": "web", "image": "web", "memory": 64 }] })
}

fn allow(action: &str, resource: &str, condition: &Value) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition })
}

fn deny(action: &str, condition: &Value) -> Value {
    json!({ "Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition })
}

/// Calls as root.
async fn allowed(world: &World, operation: &str, request: Value) -> Value {
    let response = world.call(operation, request.to_string()).await;
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(response.status, 200, "{operation} {request}: {body}");
    body
}

/// Calls as a user with `statements`: the message of the denial, or nothing.
async fn denial(
    world: &World,
    statements: &[Value],
    operation: &str,
    request: Value,
) -> Option<String> {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    let policies = if statements.is_empty() { json!([]) } else { json!([policy]) };
    let caller = goldens::caller(json!({ "user": "ann", "policies": policies }));
    let outcome = goldens::call_as(&world.service, operation, request.to_string(), caller).await;
    let body: Value = serde_json::from_slice(&outcome.response.body).unwrap();
    let denied = body["__type"] == "AccessDeniedException";
    assert!(denied || outcome.response.status == 200, "{operation} {request}: {body}");
    denied.then(|| body["message"].as_str().unwrap_or_default().to_owned())
}

/// What may be done with `statements`; with a part of the denial's message where it may not.
async fn check(
    world: &World,
    statements: &[Value],
    operation: &str,
    request: Value,
    expected: Option<&str>,
) {
    let found = denial(world, statements, operation, request.clone()).await;
    match (&found, expected) {
        (None, None) => {}
        (Some(found), Some(expected)) if found.contains(expected) => {}
        _ => panic!("{operation} {request}: {found:?} instead of {expected:?}"),
    }
}

#[tokio::test]
async fn another_account_may_not_even_list() {
    let world = world().await;
    let scope = goldens::scope();
    for operation in api_ecs::API.operations {
        let stranger = policy::Caller::root(
            "999999999999".parse().unwrap(),
            scope.region.clone(),
            goldens::START,
        );
        let request = json!({ "taskDefinition": "web:1", "name": "tagResourceAuthorization",
            "value": "off" });
        let call = goldens::call_as(&world.service, operation.name, request.to_string(), stranger);
        let outcome = call.await;
        let body: Value = serde_json::from_slice(&outcome.response.body).unwrap();
        assert_eq!(body["__type"], "AccessDeniedException", "{}: {body}", operation.name);
        let decisions = &outcome.considered.decisions;
        assert!(decisions.iter().any(|one| !one.decision.is_allowed()), "{}", operation.name);
    }
}

#[tokio::test]
async fn roles_are_passed_to_tasks_by_whom_may() {
    let world = world().await;
    let pass = |service: &str| {
        let passed_to = json!({ "StringEquals": { "iam:PassedToService": service } });
        [allow("ecs:*", "*", &json!({})), allow("iam:PassRole", &format!("{ROLE}app"), &passed_to)]
    };
    let (tasks, instances) = (pass("ecs-tasks.amazonaws.com"), pass("ec2.amazonaws.com"));
    let admin = Some("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin");
    let app = Some("iam:PassRole on resource: arn:aws:iam::123456789012:role/app");
    let register = "RegisterTaskDefinition";
    check(&world, &tasks, register, definition("app"), None).await;
    check(&world, &tasks, register, definition("admin"), admin).await;
    check(&world, &instances, register, definition("app"), app).await;
    let mut execution = definition("app");
    execution["executionRoleArn"] = "admin".into();
    check(&world, &tasks, register, execution, admin).await;

    let run = json!({ "taskDefinition": "web:1" });
    check(&world, &tasks, "RunTask", run.clone(), None).await;
    check(&world, &instances, "RunTask", run, app).await;
    for role in ["taskRoleArn", "executionRoleArn"] {
        let run =
            json!({ "taskDefinition": "web:1", "overrides": { role: format!("{ROLE}admin") } });
        check(&world, &tasks, "RunTask", run.clone(), admin).await;
        let mut start = run;
        start["containerInstances"] = json!(["0123456789abcdef0123456789abcdef"]);
        check(&world, &tasks, "StartTask", start, admin).await;
    }
    let service = json!({ "serviceName": "s", "taskDefinition": "web:1", "desiredCount": 1,
        "role": format!("{ROLE}app") });
    check(&world, &tasks, "CreateService", service, app).await;
}

#[tokio::test]
async fn tags_decide() {
    let world = world().await;
    let pass = allow("iam:PassRole", "*", &json!({}));
    let team = |key: &str, value: &str| json!({ "StringEquals": { key: value } });
    let blue = [allow("ecs:RunTask", "*", &team("aws:ResourceTag/team", "blue")), pass.clone()];
    let green = [allow("ecs:RunTask", "*", &team("ecs:ResourceTag/team", "green")), pass.clone()];
    let run = json!({ "taskDefinition": "web" });
    check(&world, &blue, "RunTask", run.clone(), None).await;
    check(&world, &green, "RunTask", run, Some("ecs:RunTask on resource")).await;

    let tagged = json!({ "taskDefinition": "web", "tags": [{ "key": "team", "value": "blue" }] });
    let mut may = vec![allow("ecs:RunTask", "*", &team("aws:RequestTag/team", "blue")), pass];
    let tagging =
        Some("ecs:TagResource on resource: arn:aws:ecs:us-east-1:123456789012:task/default/*");
    check(&world, &may, "RunTask", tagged.clone(), tagging).await;
    may.push(allow("ecs:TagResource", "*", &team("ecs:CreateAction", "CreateCluster")));
    check(&world, &may, "RunTask", tagged.clone(), tagging).await;
    may.push(allow("ecs:TagResource", "*", &team("ecs:CreateAction", "RunTask")));
    check(&world, &may, "RunTask", tagged.clone(), None).await;
    let cluster = json!({ "resourceArn": format!("{ARN}cluster/other"), "tags": tagged["tags"] });
    check(&world, &may, "TagResource", cluster, Some("ecs:TagResource")).await;
    may.truncate(2);
    let off = json!({ "name": "tagResourceAuthorization", "value": "off" });
    allowed(&world, "PutAccountSettingDefault", off).await;
    check(&world, &may, "RunTask", tagged, None).await;

    let only = json!({ "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } });
    let keys = [allow("ecs:*Resource", "*", &only)];
    let untag =
        |key: &str| json!({ "resourceArn": format!("{ARN}cluster/other"), "tagKeys": [key] });
    check(&world, &keys, "UntagResource", untag("team"), None).await;
    check(&world, &keys, "UntagResource", untag("owner"), Some("ecs:UntagResource")).await;
}

#[tokio::test]
async fn one_cluster_is_one_cluster_however_it_is_named() {
    let world = world().await;
    let own = json!({ "ArnEquals": { "ecs:cluster": format!("{ARN}cluster/default") } });
    let by_key = [allow("ecs:*", "*", &own)];
    let by_arn =
        [allow("ecs:ListTasks", &format!("{ARN}container-instance/default/*"), &json!({}))];
    let denied = Some("ecs:ListTasks on resource");
    for statements in [&by_key, &by_arn] {
        check(&world, statements, "ListTasks", json!({}), None).await;
        let arn = json!({ "cluster": format!("{ARN}cluster/default") });
        check(&world, statements, "ListTasks", arn, None).await;
        for cluster in [
            "other",
            "cluster/default:cluster/other",
            "arn:aws:ecs:us-east-1:123456789012:cluster/default:cluster/other",
        ] {
            check(&world, statements, "ListTasks", json!({ "cluster": cluster }), denied).await;
        }
    }
    let other = "0123456789abcdef0123456789abcdee";
    world.register(&json!({ "id": other, "cluster": "other" })).await;
    // An ARN that names its own cluster, and one in the old form.
    for arn in ["other/", ""] {
        let arn = format!("{ARN}container-instance/{arn}{other}");
        let describe = json!({ "cluster": "other", "containerInstances": [arn] });
        check(&world, &by_key, "DescribeContainerInstances", describe, Some("DescribeContainer"))
            .await;
    }
    check(&world, &by_arn, "ListServices", json!({}), Some("ecs:ListServices on resource: *"))
        .await;
}

#[tokio::test]
async fn definitions_are_limited_by_what_they_ask_for() {
    let world = world().await;
    let register = |members: Value| {
        let mut definition = definition("app");
        for (name, member) in members.as_object().unwrap() {
            definition["containerDefinitions"][0][name] = member.clone();
        }
        definition
    };
    let all = allow("*", "*", &json!({}));
    let explicit = Some("with an explicit deny in an identity-based policy");
    for (condition, members, expected) in [
        (json!({ "Bool": { "ecs:privileged": "true" } }), json!({ "privileged": true }), explicit),
        (json!({ "Bool": { "ecs:privileged": "true" } }), json!({}), None),
        (
            json!({ "Bool": { "portcullis:readonly-root-filesystem": "false" } }),
            json!({}),
            explicit,
        ),
        (
            json!({ "Bool": { "portcullis:readonly-root-filesystem": "false" } }),
            json!({ "readonlyRootFilesystem": true }),
            None,
        ),
        (
            json!({ "ForAnyValue:StringEquals": { "portcullis:user": ["", "0", "root"] } }),
            json!({ "user": "root" }),
            explicit,
        ),
        (
            json!({ "ForAnyValue:StringNotEquals": { "portcullis:image-registry": "registry.example.com" } }),
            json!({ "image": "web" }),
            explicit,
        ),
        (
            json!({ "ForAnyValue:StringNotEquals": { "portcullis:image-registry": "registry.example.com" } }),
            json!({ "image": "registry.example.com/web" }),
            None,
        ),
        (
            json!({ "NumericGreaterThan": { "portcullis:plaintext-secrets": "0" } }),
            json!({ "environment": [{ "name": "TOKEN", "value": "x" }] }),
            explicit,
        ),
    ] {
        let statements = [all.clone(), deny("ecs:RegisterTaskDefinition", &condition)];
        check(&world, &statements, "RegisterTaskDefinition", register(members), expected).await;
    }
}

#[tokio::test]
async fn launches_are_limited_by_what_they_ask_for() {
    let world = world().await;
    let all = allow("*", "*", &json!({}));
    let explicit = Some("with an explicit deny in an identity-based policy");
    let run = |members: Value| {
        let mut run = json!({ "taskDefinition": "web:1" });
        run.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        run
    };
    let token = json!({ "overrides": { "containerOverrides": [{ "name": "web", "environment":
        [{ "name": "TOKEN", "value": "x" }] }] } });
    for (condition, members, expected) in [
        (
            json!({ "StringEquals": { "ecs:enable-execute-command": "true" } }),
            json!({ "enableExecuteCommand": true }),
            explicit,
        ),
        (json!({ "StringEquals": { "ecs:enable-execute-command": "true" } }), json!({}), None),
        (json!({ "NumericGreaterThan": { "portcullis:plaintext-secrets": "0" } }), token, explicit),
        (json!({ "StringEquals": { "portcullis:network-mode": "bridge" } }), json!({}), explicit),
        (
            json!({ "NumericGreaterThan": { "ecs:task-cpu": "256" } }),
            json!({ "overrides": { "cpu": "1 vCPU" } }),
            explicit,
        ),
    ] {
        let statements = [all.clone(), deny("ecs:RunTask", &condition)];
        check(&world, &statements, "RunTask", run(members), expected).await;
    }
}

#[tokio::test]
async fn a_family_is_its_newest_revision() {
    let world = world().await;
    let first = format!("{ARN}task-definition/web:1");
    let may = [allow("ecs:RunTask", &first, &json!({})), allow("iam:PassRole", "*", &json!({}))];
    let run = |name: &str| json!({ "taskDefinition": name });
    check(&world, &may, "RunTask", run("web"), None).await;
    allowed(&world, "RegisterTaskDefinition", definition("app")).await;
    let denied = Some(
        "ecs:RunTask on resource: arn:aws:ecs:us-east-1:123456789012:task-definition/web:* because",
    );
    check(&world, &may, "RunTask", run("web"), denied).await;
    check(&world, &may, "RunTask", run("web:1"), None).await;
}

#[tokio::test]
async fn a_denial_tells_nothing_of_what_there_is() {
    let service = json!({ "serviceName": "s", "taskDefinition": "app", "desiredCount": 1 });
    let arn = format!("{ARN}service/other/s");
    let calls = [
        ("RunTask", json!({ "cluster": "other", "taskDefinition": "app" })),
        ("RunTask", json!({ "cluster": "other", "taskDefinition": "app:1" })),
        ("StartTask", json!({ "taskDefinition": "app", "containerInstances": ["i"] })),
        ("CreateService", service.clone()),
        ("UpdateService", json!({ "cluster": "other", "service": "s", "taskDefinition": "app" })),
        ("DeleteService", json!({ "cluster": "other", "service": "s" })),
        ("DescribeServices", json!({ "cluster": "other", "services": ["s"] })),
        ("ListTagsForResource", json!({ "resourceArn": arn })),
        ("TagResource", json!({ "resourceArn": arn, "tags": [] })),
        ("DescribeTaskDefinition", json!({ "taskDefinition": "app" })),
        ("DeleteTaskDefinitions", json!({ "taskDefinitions": ["app:1"] })),
        ("DescribeClusters", json!({ "clusters": ["other"] })),
        ("ListTasks", json!({ "cluster": "other" })),
    ];
    let world = World::new().await;
    let mut before = Vec::new();
    for (operation, request) in &calls {
        before.push(denial(&world, &[], operation, request.clone()).await.unwrap());
    }
    world.register(&json!({ "cluster": "other" })).await;
    allowed(&world, "CreateCluster", json!({ "clusterName": "other" })).await;
    let mut app = definition("secret");
    app["family"] = "app".into();
    allowed(&world, "RegisterTaskDefinition", app).await;
    let mut other = service;
    other["cluster"] = "other".into();
    other["tags"] = json!([{ "key": "secret", "value": "secret" }]);
    allowed(&world, "CreateService", other).await;
    for ((operation, request), before) in calls.iter().zip(before) {
        let after = denial(&world, &[], operation, request.clone()).await.unwrap();
        assert_eq!(after, before, "{operation} {request}");
    }
}
