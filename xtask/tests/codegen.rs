//! The generated crates against the models they come from: every operation in scope is driven
//! with inputs and outputs made from the model.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use wire::Operation;

fn model(service: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../models/{service}.json"));
    serde_json::from_slice(&fs::read(path).expect("the model can be read")).expect("it is JSON")
}

/// A value of the shape with every member present, within all constraints.
fn sample(model: &Value, name: &str) -> Value {
    let shape = &model["shapes"][name];
    let least = shape["min"].as_f64().unwrap_or(1.0).max(1.0);
    let least: u32 = format!("{least:.0}").parse().expect("a small number");
    let inner = |key: &str| shape[key]["shape"].as_str().expect("a shape");
    match shape["type"].as_str().expect("a type") {
        "structure" if shape["document"] == true => json!({"any": ["thing", 1]}),
        "structure" => {
            let empty = Map::new();
            let members = shape["members"].as_object().unwrap_or(&empty);
            let count = if shape["union"] == true { 1 } else { members.len() };
            let sampled = members.iter().take(count).map(|(member, reference)| {
                (member.clone(), sample(model, reference["shape"].as_str().expect("a shape")))
            });
            Value::Object(sampled.collect())
        }
        "list" => {
            let member = sample(model, inner("member"));
            Value::Array((0..least).map(|_| member.clone()).collect())
        }
        "map" => {
            let entries = (0..least).map(|index| {
                let value = sample(model, inner("value"));
                (format!("key{index}"), value)
            });
            Value::Object(entries.collect())
        }
        "string" => match shape["enum"].get(0) {
            Some(value) => value.clone(),
            None => Value::from("1".repeat(least.try_into().expect("a small number"))),
        },
        "integer" | "long" => Value::from(least),
        "double" => Value::from(2.5),
        "boolean" => Value::from(true),
        "timestamp" => Value::from(1_732_000_000.125),
        other => panic!("no sample for {other}"),
    }
}

fn shape_name<'model>(model: &'model Value, operation: &str, side: &str) -> Option<&'model str> {
    model["operations"][operation][side]["shape"].as_str()
}

/// Decoding and encoding must not change the sample, and no required member may be left out.
#[track_caller]
fn check<O: Operation>(model: &Value)
where
    O::Input: serde::Serialize,
    O::Output: serde::de::DeserializeOwned,
{
    let name = shape_name(model, O::NAME, "input").expect("an input");
    let input = sample(model, name);
    let read = wire::decode::<O>(input.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{}: {error}", O::NAME));
    assert_eq!(serde_json::to_value(&read).expect("it can be written"), input, "{}", O::NAME);

    let required = model["shapes"][name]["required"].as_array().cloned().unwrap_or_default();
    for member in required.iter().filter_map(Value::as_str) {
        let mut broken = input.clone();
        broken[member] = Value::Null;
        let error = wire::decode::<O>(broken.to_string().as_bytes()).expect_err("it is required");
        let expected = format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        );
        assert_eq!(error.message, expected, "{}", O::NAME);
        assert_eq!(error.code, O::API.validation_error_code, "{}", O::NAME);
    }

    let Some(name) = shape_name(model, O::NAME, "output") else {
        let empty = wire::encode::<O>(&O::Output::default(), "id");
        assert_eq!(empty.body, b"", "{}", O::NAME);
        return;
    };
    let output = sample(model, name);
    let read: O::Output = serde_json::from_value(output.clone()).expect("the output can be read");
    let written = wire::encode::<O>(&read, "id");
    assert_eq!(written.status, 200, "{}", O::NAME);
    let written: Value = serde_json::from_slice(&written.body).expect("the body is JSON");
    assert_eq!(written, output, "{}", O::NAME);
}

macro_rules! check_ecs {
    ($($operation:ident),+) => {{
        let model = model("ecs");
        $(check::<api_ecs::ops::$operation>(&model);)+
    }};
}

macro_rules! check_logs {
    ($($operation:ident),+) => {{
        let model = model("logs");
        $(check::<api_logs::ops::$operation>(&model);)+
    }};
}

#[test]
fn every_member_of_every_ecs_operation_goes_through_unchanged() {
    api_ecs::for_each_operation!(check_ecs);
}

#[test]
fn every_member_of_every_logs_operation_goes_through_unchanged() {
    api_logs::for_each_operation!(check_logs);
}

#[test]
fn operations_out_of_scope_are_refused_by_name() {
    let unserved = api_ecs::API.operation("CreateDaemon").expect_err("it is out of scope");
    assert_eq!((unserved.code.as_ref(), unserved.status), ("UnknownOperationException", 400));
    assert_eq!(
        unserved.message,
        "`CreateDaemon` is an operation of Amazon EC2 Container Service that is not served here; \
         see the list of served operations"
    );
    let unknown = api_sts::API.operation("RunTask").expect_err("it is another service's");
    assert_eq!(unknown.code, "InvalidAction");
    assert!(unknown.message.contains("has no operation `RunTask`"), "{}", unknown.message);
    assert_eq!(api_ecs::API.operation("RunTask").expect("it is in scope").name, "RunTask");
    assert_eq!(api_ecs::API.operation_names.len(), 88);
}

#[test]
fn targets_name_operations_of_their_own_service_only() {
    let name = |target| api_ecs::API.operation_name_in_target(target);
    assert_eq!(name("AmazonEC2ContainerServiceV20141113.RunTask"), Some("RunTask"));
    assert_eq!(name("Logs_20140328.PutLogEvents"), None);
    assert_eq!(name("AmazonEC2ContainerServiceV20141113"), None);
}

#[test]
fn caller_identity_is_answered_in_xml() {
    use api_sts::ops::GetCallerIdentity;
    let form = b"Action=GetCallerIdentity&Version=2011-06-15";
    wire::decode::<GetCallerIdentity>(form).expect("the form is valid");
    let output = api_sts::types::GetCallerIdentityResponse {
        user_id: Some("AIDA".to_owned()),
        account: Some("123456789012".to_owned()),
        arn: Some("arn:aws:iam::123456789012:user/a&b".to_owned()),
    };
    let response = wire::encode::<GetCallerIdentity>(&output, "id-1");
    assert_eq!((response.status, response.content_type), (200, "text/xml"));
    assert_eq!(
        String::from_utf8(response.body).expect("it is text"),
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Account>123456789012</Account>\
         <Arn>arn:aws:iam::123456789012:user/a&amp;b</Arn><UserId>AIDA</UserId>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>id-1</RequestId>\
         </ResponseMetadata></GetCallerIdentityResponse>"
    );
}

#[test]
fn sensitive_members_stay_out_of_debug_output() {
    let pair = api_ecs::types::KeyValuePair {
        name: Some("TOKEN".to_owned()),
        value: Some("hunter2".to_owned()),
    };
    assert_eq!(
        format!("{pair:?}"),
        "KeyValuePair { name: Some(\"TOKEN\"), value: Some([redacted]) }"
    );
}

#[test]
fn generated_files_are_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["codegen", "--check"])
        .output()
        .expect("xtask starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

proptest::proptest! {
    #[test]
    fn no_body_of_a_task_definition_makes_decoding_crash(
        head in "\\{\"containerDefinitions\":[\\[{]{0,3}\"?(name|memory|portMappings)\"?:?",
        tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
    ) {
        let body = [head.as_bytes(), &tail].concat();
        let _ = wire::decode::<api_ecs::ops::RegisterTaskDefinition>(&body);
    }
}
