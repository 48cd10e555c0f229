use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use wire::{Api, AwsJson, NoOutput, Operation, Protocol};

use crate::{Authorized, Caller, Denied, Principal, authorize};

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
    let caller = Caller {
        principal: Arc::new(Principal::root("123456789012".parse().unwrap())),
        request_id: "id".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: None,
    };
    let resources: Vec<String> = resources.iter().map(|text| (*text).to_owned()).collect();
    authorize(caller, &resources, NoOutput {})
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
