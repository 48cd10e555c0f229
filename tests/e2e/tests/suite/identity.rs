//! People and programs with identities of their own: what they may do, and what they may not.

use e2e::{ApiError, Credentials, World};
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";

/// A policy document of one statement.
fn policy(effect: &str, action: &Value, resource: &str, condition: &Value) -> String {
    let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A trust policy for one kind of principal.
fn trust(principal: &Value, condition: &Value) -> String {
    let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A call of the root's that must succeed.
fn call(world: &mut World, service: &str, operation: &str, input: &Value) -> Value {
    let answer = world.client().call(service, operation, input);
    answer.unwrap_or_else(|error| panic!("{service} {operation}: {error:?}\n{input}"))
}

/// A new user with an access key and one inline policy.
fn user(world: &mut World, name: &str, document: &str) -> Credentials {
    call(world, "iam", "create_user", &json!({"UserName": name}));
    let policy = json!({"UserName": name, "PolicyName": "own", "PolicyDocument": document});
    call(world, "iam", "put_user_policy", &policy);
    let key = call(world, "iam", "create_access_key", &json!({"UserName": name}));
    Credentials::of(&key["AccessKey"])
}

/// A new role with one inline policy; its ARN.
fn role(world: &mut World, name: &str, trust: &str, document: &str) -> String {
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
    let made = call(world, "iam", "create_role", &input);
    let policy = json!({"RoleName": name, "PolicyName": "own", "PolicyDocument": document});
    call(world, "iam", "put_role_policy", &policy);
    made["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// A call that must be denied; what was said.
fn denied(answer: Result<Value, ApiError>) -> String {
    match answer {
        Ok(answer) => panic!("allowed: {answer}"),
        Err(error) => {
            assert!(error.code.starts_with("AccessDenied"), "{error:?}");
            error.message
        }
    }
}

#[test]
fn a_user_does_what_the_policies_allow_and_nothing_else() {
    let mut world = World::new();
    let ann = user(
        &mut world,
        "ann",
        &policy("Allow", &json!(["ecs:List*", "ecs:CreateCluster"]), "*", &Value::Null),
    );
    let who = world.client().call_as(&ann, "sts", "get_caller_identity", &json!({})).unwrap();
    assert_eq!(who["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    world.client().call_as(&ann, "ecs", "list_clusters", &json!({})).unwrap();
    world.client().call_as(&ann, "ecs", "create_cluster", &json!({"clusterName": "a"})).unwrap();
    let said =
        denied(world.client().call_as(&ann, "ecs", "delete_cluster", &json!({"cluster": "a"})));
    assert_eq!(
        said,
        format!(
            "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: \
             ecs:DeleteCluster on resource: arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/a because no \
             identity-based policy allows the ecs:DeleteCluster action"
        )
    );
    let deny = policy("Deny", &json!("ecs:CreateCluster"), "*", &Value::Null);
    let input = json!({"UserName": "ann", "PolicyName": "no", "PolicyDocument": deny});
    call(&mut world, "iam", "put_user_policy", &input);
    let input = json!({"clusterName": "b"});
    let said = denied(world.client().call_as(&ann, "ecs", "create_cluster", &input));
    assert!(said.ends_with("with an explicit deny in an identity-based policy"), "{said}");
    let inactive =
        json!({"UserName": "ann", "AccessKeyId": ann.access_key_id, "Status": "Inactive"});
    call(&mut world, "iam", "update_access_key", &inactive);
    let error = world.client().call_as(&ann, "ecs", "list_clusters", &json!({})).unwrap_err();
    assert_eq!(error.code, "UnrecognizedClientException", "{error:?}");
    world.finish();
}

#[test]
fn groups_managed_policies_and_boundaries_add_up() {
    let mut world = World::new();
    let none = policy("Allow", &json!("sts:GetCallerIdentity"), "*", &Value::Null);
    let bob = user(&mut world, "bob", &none);
    let input = json!({"UserName": "bob", "GroupName": "operators"});
    call(&mut world, "iam", "create_group", &json!({"GroupName": "operators"}));
    call(&mut world, "iam", "add_user_to_group", &input);
    let list = |world: &mut World| world.client().call_as(&bob, "ecs", "list_clusters", &json!({}));
    denied(list(&mut world));
    let document = policy("Allow", &json!("ecs:*"), "*", &Value::Null);
    let made = json!({"PolicyName": "all-of-ecs", "PolicyDocument": document});
    let made = call(&mut world, "iam", "create_policy", &made);
    let arn = made["Policy"]["Arn"].as_str().unwrap().to_owned();
    let attach = json!({"GroupName": "operators", "PolicyArn": arn});
    call(&mut world, "iam", "attach_group_policy", &attach);
    list(&mut world).unwrap();
    let document = policy("Allow", &json!("iam:*"), "*", &Value::Null);
    let made = json!({"PolicyName": "bound", "PolicyDocument": document});
    let bound = call(&mut world, "iam", "create_policy", &made);
    let bound = json!({"UserName": "bob", "PermissionsBoundary": bound["Policy"]["Arn"]});
    call(&mut world, "iam", "put_user_permissions_boundary", &bound);
    let said = denied(list(&mut world));
    assert!(said.contains("no permissions boundary allows the ecs:ListClusters action"), "{said}");
    let gone = json!({"UserName": "bob"});
    call(&mut world, "iam", "delete_user_permissions_boundary", &gone);
    list(&mut world).unwrap();
    let version = policy("Deny", &json!("ecs:ListClusters"), "*", &Value::Null);
    let version = json!({"PolicyArn": arn, "PolicyDocument": version, "SetAsDefault": true});
    call(&mut world, "iam", "create_policy_version", &version);
    denied(list(&mut world));
    let back = json!({"PolicyArn": arn, "VersionId": "v1"});
    call(&mut world, "iam", "set_default_policy_version", &back);
    list(&mut world).unwrap();
    world.finish();
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts_and_for_no_more_than_the_session_allows() {
    let mut world = World::new();
    let document = policy("Allow", &json!("sts:AssumeRole"), "*", &Value::Null);
    let ann = user(&mut world, "ann", &document);
    let trusted = trust(
        &json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}),
        &json!({"StringEquals": {"sts:ExternalId": "blue"}}),
    );
    let document = policy("Allow", &json!("ecs:*"), "*", &Value::Null);
    let arn = role(&mut world, "deploy", &trusted, &document);
    let input = json!({"RoleArn": arn, "RoleSessionName": "s1"});
    denied(world.client().call_as(&ann, "sts", "assume_role", &input));
    let missing = json!({"RoleArn": arn.replace("deploy", "nobody"), "RoleSessionName": "s1"});
    denied(world.client().call_as(&ann, "sts", "assume_role", &missing));
    let input = json!({"RoleArn": arn, "RoleSessionName": "s1", "ExternalId": "blue",
        "Policy": policy("Allow", &json!("ecs:List*"), "*", &Value::Null),
        "Tags": [{"Key": "team", "Value": "shop"}]});
    let assumed = world.client().call_as(&ann, "sts", "assume_role", &input);
    denied(assumed);
    let tagging = policy("Allow", &json!(["sts:AssumeRole", "sts:TagSession"]), "*", &Value::Null);
    let tagging = json!({"UserName": "ann", "PolicyName": "own", "PolicyDocument": tagging});
    call(&mut world, "iam", "put_user_policy", &tagging);
    let assumed = world.client().call_as(&ann, "sts", "assume_role", &input).unwrap();
    let session = Credentials::of(&assumed["Credentials"]);
    let who = world.client().call_as(&session, "sts", "get_caller_identity", &json!({})).unwrap();
    assert_eq!(who["Arn"], format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1"));
    world.client().call_as(&session, "ecs", "list_clusters", &json!({})).unwrap();
    let input = json!({"clusterName": "x"});
    let said = denied(world.client().call_as(&session, "ecs", "create_cluster", &input));
    assert!(said.contains("no session policy allows"), "{said}");
    let without_token = Credentials { session_token: None, ..session.clone() };
    let answer = world.client().call_as(&without_token, "ecs", "list_clusters", &json!({}));
    assert_eq!(answer.unwrap_err().code, "UnrecognizedClientException");
    let input = json!({"RoleName": "deploy", "PolicyName": "own"});
    call(&mut world, "iam", "delete_role_policy", &input);
    call(&mut world, "iam", "delete_role", &json!({"RoleName": "deploy"}));
    let answer = world.client().call_as(&session, "ecs", "list_clusters", &json!({}));
    assert_eq!(answer.unwrap_err().code, "UnrecognizedClientException");
    world.finish();
}

#[test]
fn a_second_factor_opens_what_asks_for_it_and_a_code_works_once() {
    let mut world = World::new();
    let condition = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let document = policy("Allow", &json!("ecs:*"), "*", &condition);
    let ann = user(&mut world, "ann", &document);
    let made = json!({"VirtualMFADeviceName": "phone"});
    let made = call(&mut world, "iam", "create_virtual_mfa_device", &made);
    let serial = made["VirtualMFADevice"]["SerialNumber"].as_str().unwrap().to_owned();
    let seed = made["VirtualMFADevice"]["Base32StringSeed"].as_str().unwrap().to_owned();
    let (first, second) =
        (world.client().one_time_password(&seed, -1), world.client().one_time_password(&seed, 0));
    let enable = json!({"UserName": "ann", "SerialNumber": serial,
        "AuthenticationCode1": first, "AuthenticationCode2": second});
    call(&mut world, "iam", "enable_mfa_device", &enable);
    denied(world.client().call_as(&ann, "ecs", "list_clusters", &json!({})));
    let code = world.client().one_time_password(&seed, 1);
    let input = json!({"SerialNumber": serial, "TokenCode": code});
    let session = world.client().call_as(&ann, "sts", "get_session_token", &input).unwrap();
    let session = Credentials::of(&session["Credentials"]);
    world.client().call_as(&session, "ecs", "list_clusters", &json!({})).unwrap();
    denied(world.client().call_as(&ann, "sts", "get_session_token", &input));
    world.finish();
}

#[test]
fn conditions_on_tags_time_and_channel_decide() {
    let mut world = World::new();
    let mut check = |name: &str, condition: Value, cluster: &str, allowed: bool| {
        let user = user(&mut world, name, &policy("Allow", &json!("ecs:*"), "*", &condition));
        let input = json!({"clusterName": cluster, "tags": [{"key": "team", "value": "shop"}]});
        let answer = world.client().call_as(&user, "ecs", "create_cluster", &input);
        if allowed {
            answer.unwrap();
        } else {
            denied(answer);
        }
    };
    let tag = |value: &str| json!({"StringEquals": {"aws:RequestTag/team": value}});
    check("tagged", tag("shop"), "a", true);
    check("otherwise-tagged", tag("bank"), "b", false);
    let before =
        |year: u32| json!({"DateLessThan": {"aws:CurrentTime": format!("{year}-01-01T00:00:00Z")}});
    check("early", before(2999), "c", true);
    check("late", before(2001), "d", false);
    let from = |range: &str| json!({"IpAddress": {"aws:SourceIp": range}});
    check("near", from("127.0.0.0/8"), "e", true);
    check("far", from("192.0.2.0/24"), "f", false);
    check("clear", json!({"Bool": {"aws:SecureTransport": "false"}}), "g", true);
    check("closed", json!({"Bool": {"aws:SecureTransport": "true"}}), "h", false);
    world.finish();
}

#[test]
fn passing_a_role_needs_a_permission_of_its_own() {
    let mut world = World::new();
    let tasks = json!({"Service": "ecs-tasks.amazonaws.com"});
    let arn = role(
        &mut world,
        "worker",
        &trust(&tasks, &Value::Null),
        &policy("Allow", &json!("ecs:ListTasks"), "*", &Value::Null),
    );
    let ann = user(&mut world, "ann", &policy("Allow", &json!("ecs:*"), "*", &Value::Null));
    let definition = json!({"family": "with-role", "taskRoleArn": arn,
        "containerDefinitions": [e2e::shell("main", "sleep 1")]});
    let register = |world: &mut World| {
        world.client().call_as(&ann, "ecs", "register_task_definition", &definition)
    };
    let said = denied(register(&mut world));
    assert!(said.contains("is not authorized to perform: iam:PassRole on resource: "), "{said}");
    let condition = json!({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}});
    let pass = policy("Allow", &json!("iam:PassRole"), &arn, &condition);
    let pass = json!({"UserName": "ann", "PolicyName": "pass", "PolicyDocument": pass});
    call(&mut world, "iam", "put_user_policy", &pass);
    register(&mut world).unwrap();
    world.finish();
}

#[test]
fn an_organisation_guards_its_accounts_from_above() {
    let mut world = World::new();
    call(&mut world, "organizations", "create_organization", &json!({"FeatureSet": "ALL"}));
    let roots = call(&mut world, "organizations", "list_roots", &json!({}));
    let root = roots["Roots"][0]["Id"].as_str().unwrap().to_owned();
    let enable = json!({"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"});
    // It is on from the start in a new organisation with all features, as in AWS's console.
    drop(world.client().call("organizations", "enable_policy_type", &enable));
    let made = json!({"Email": "dev@example.com", "AccountName": "dev"});
    let made = call(&mut world, "organizations", "create_account", &made);
    let status = json!({"CreateAccountRequestId": made["CreateAccountStatus"]["Id"]});
    let status = call(&mut world, "organizations", "describe_create_account_status", &status);
    let account = status["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned();
    let document = policy("Allow", &json!("sts:AssumeRole"), "*", &Value::Null);
    let admin = user(&mut world, "admin", &document);
    let input = json!({"RoleSessionName": "admin",
        "RoleArn": format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole")});
    let session = world.client().call_as(&admin, "sts", "assume_role", &input).unwrap();
    let session = Credentials::of(&session["Credentials"]);
    let create = |world: &mut World, name: &str| {
        world.client().call_as(&session, "iam", "create_user", &json!({"UserName": name}))
    };
    let eve = create(&mut world, "eve").unwrap();
    assert_eq!(eve["User"]["Arn"], format!("arn:aws:iam::{account}:user/eve"));
    // The resources of ECS are the home account's: whoever wants them needs a role there.
    denied(world.client().call_as(&session, "ecs", "list_tasks", &json!({})));
    let trusted = trust(&json!({"AWS": account}), &Value::Null);
    let document = policy("Allow", &json!("ecs:List*"), "*", &Value::Null);
    let visitor = role(&mut world, "visitor", &trusted, &document);
    let input = json!({"RoleArn": visitor, "RoleSessionName": "visit"});
    let visit = world.client().call_as(&session, "sts", "assume_role", &input).unwrap();
    let visit = Credentials::of(&visit["Credentials"]);
    world.client().call_as(&visit, "ecs", "list_tasks", &json!({})).unwrap();
    let made = json!({"Name": "no-users", "Description": "nobody makes users",
        "Type": "SERVICE_CONTROL_POLICY",
        "Content": policy("Deny", &json!("iam:CreateUser"), "*", &Value::Null)});
    let made = call(&mut world, "organizations", "create_policy", &made);
    let attach = json!({"PolicyId": made["Policy"]["PolicySummary"]["Id"], "TargetId": account});
    call(&mut world, "organizations", "attach_policy", &attach);
    let said = denied(create(&mut world, "mallory"));
    assert!(said.ends_with("with an explicit deny in a service control policy"), "{said}");
    call(&mut world, "organizations", "detach_policy", &attach);
    create(&mut world, "mallory").unwrap();
    world.finish();
}

#[test]
fn simulation_reports_and_summaries_tell_the_truth() {
    let mut world = World::new();
    let ann = user(&mut world, "ann", &policy("Allow", &json!("ecs:List*"), "*", &Value::Null));
    world.client().call_as(&ann, "ecs", "list_clusters", &json!({})).unwrap();
    let input = json!({"PolicySourceArn": format!("arn:aws:iam::{ACCOUNT}:user/ann"),
        "ActionNames": ["ecs:ListClusters", "ecs:DeleteCluster"]});
    let simulated = call(&mut world, "iam", "simulate_principal_policy", &input);
    let decisions: Vec<&str> = simulated["EvaluationResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["EvalDecision"].as_str().unwrap())
        .collect();
    assert_eq!(decisions, ["allowed", "implicitDeny"], "{simulated}");
    let used = json!({"AccessKeyId": ann.access_key_id});
    let used = call(&mut world, "iam", "get_access_key_last_used", &used);
    assert_eq!(used["AccessKeyLastUsed"]["ServiceName"], "ecs", "{used}");
    let summary = call(&mut world, "iam", "get_account_summary", &json!({}));
    assert_eq!(summary["SummaryMap"]["Users"], 1, "{summary}");
    call(&mut world, "iam", "generate_credential_report", &json!({}));
    let report = call(&mut world, "iam", "get_credential_report", &json!({}));
    let report = report["Content"].as_str().unwrap();
    assert!(report.starts_with("user,arn,user_creation_time,"), "{report}");
    assert!(report.contains(&format!("\nann,arn:aws:iam::{ACCOUNT}:user/ann,")), "{report}");
    let malformed = json!({"UserName": "ann", "PolicyName": "x", "PolicyDocument":
        "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Alow\", \"Action\": \"*\", \"Resource\": \"*\"}]}"});
    let error = world.client().call("iam", "put_user_policy", &malformed).unwrap_err();
    assert_eq!(error.code, "MalformedPolicyDocument", "{error:?}");
    assert!(error.message.contains("Statement[0].Effect"), "{error:?}");
    world.finish();
}

#[test]
fn the_aws_cli_manages_identities() {
    let world = World::new();
    let made = world.aws_json(&["iam", "create-user", "--user-name", "cli", "--path", "/team/"]);
    assert_eq!(made["User"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/team/cli"));
    let managed = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = ["iam", "attach-user-policy", "--user-name", "cli", "--policy-arn", managed];
    assert_eq!(world.aws(&attach).status, 0);
    let keys = world.aws_json(&["iam", "create-access-key", "--user-name", "cli"]);
    let keys = Credentials::of(&keys["AccessKey"]);
    let mut command = world.aws_command(&["iam", "get-user"]);
    command.envs(keys.environment());
    let output = e2e::CommandOutput::of(&mut command);
    assert_eq!(output.status, 0, "{output:?}");
    assert!(output.stdout.contains("\"UserName\": \"cli\""), "{output:?}");
    let output = world.aws(&["iam", "delete-user", "--user-name", "cli"]);
    assert_ne!(output.status, 0);
    assert!(output.stderr.contains("DeleteConflict"), "{output:?}");
    world.finish();
}

#[test]
fn access_reports_name_who_can_what_was_needed_and_how_little_would_do() {
    let mut world = World::new();
    let ann = user(
        &mut world,
        "ann",
        &policy("Allow", &json!(["ecs:ListTasks", "ecs:Delete*"]), "*", &Value::Null),
    );
    world.client().call_as(&ann, "ecs", "list_tasks", &json!({})).unwrap();
    let who = world.portcullis(&["access", "who-can", "ecs:DeleteCluster", "*"]);
    assert_eq!(who.status, 0, "{who:?}");
    assert!(who.stdout.contains(&format!("arn:aws:iam::{ACCOUNT}:user/ann")), "{who:?}");
    assert!(who.stdout.contains("own#1"), "{who:?}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    let report = world.portcullis(&["access", "report", &arn]);
    assert_eq!(report.status, 0, "{report:?}");
    let line = |action: &str| report.stdout.lines().find(|line| line.contains(action)).unwrap();
    assert!(line("ecs:Delete*").trim_end().ends_with("never"), "{report:?}");
    assert!(line("ecs:ListTasks").trim_end().ends_with('Z'), "{report:?}");
    let smallest = world.portcullis(&["access", "report", "--policy", &arn]);
    let smallest: Value = serde_json::from_str(&smallest.stdout).unwrap();
    assert_eq!(smallest["Statement"][0]["Action"], json!(["ecs:ListTasks"]), "{smallest}");
    let input =
        json!({"UserName": "ann", "PolicyName": "own", "PolicyDocument": smallest.to_string()});
    call(&mut world, "iam", "put_user_policy", &input);
    world.client().call_as(&ann, "ecs", "list_tasks", &json!({})).unwrap();
    denied(world.client().call_as(&ann, "ecs", "delete_cluster", &json!({"cluster": "x"})));
    world.finish();
}
