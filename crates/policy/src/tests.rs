mod algorithm;
mod documents;
mod explaining;
mod keys;
mod operators;
mod support;

use wire::{Api, AwsJson, NoOutput, Operation, Protocol};

use crate::{Access, Authorized, Caller, Denied, authorize};

static API: Api = Api {
    service_id: "Toys",
    full_name: "Toy Service",
    signing_name: "toys",
    endpoint_prefix: "toys",
    target_prefix: Some("Toys"),
    protocol: Protocol::AwsJson1_1,
    api_version: "2026-01-01",
    xml_namespace: None,
    validation_error_code: "ValidationException",
    operations: &[],
    operation_names: &[],
};

#[derive(Debug)]
struct Play;

impl Operation for Play {
    const NAME: &'static str = "Play";
    const API: &'static Api = &API;
    type Codec = AwsJson;
    type Input = NoOutput;
    type Output = NoOutput;
}

fn ask(resources: &[&str]) -> Result<Authorized<Play>, Denied> {
    let caller = Caller::root(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        base::Timestamp::default(),
    );
    let accesses = resources.iter().map(|text| Access::of::<Play>(*text)).collect();
    authorize(caller, accesses, NoOutput {}).1
}

#[test]
fn root_may_do_everything_in_its_account() {
    for resource in ["*", "arn:aws:toys:eu-west-1:123456789012:toy/a", "arn:aws:s3:::bucket", "x"] {
        let authorized = ask(&[resource]).unwrap();
        assert_eq!(authorized.caller().principal.user_id, "123456789012");
    }
    assert!(ask(&[]).is_ok());
}

#[test]
fn root_may_do_nothing_in_another_account() {
    let denied = ask(&["*", "arn:aws:toys:eu-west-1:999999999999:toy/a"]).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "User: arn:aws:iam::123456789012:root is not authorized to perform: toys:Play on \
         resource: arn:aws:toys:eu-west-1:999999999999:toy/a because no resource-based policy \
         allows the toys:Play action"
    );
}

#[test]
fn a_denial_says_which_kind_of_policy_denies() {
    let denies = support::identity("Deny", support::EVERYTHING);
    let caller = support::user(support::with_identity(vec![denies]));
    let (decisions, outcome) =
        authorize::<Play>(caller, vec![Access::of::<Play>("*")], NoOutput {});
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: toys:Play on \
         resource: * with an explicit deny in an identity-based policy"
    );
    assert_eq!(decisions.len(), 1);
}
