//! Bodies of requests, in both protocols: the operation's name, a line feed, the body.
//!
//! What can be read is recorded, and reads the same after it was written as JSON.

use serde::de::DeserializeOwned;
use wire::{Api, ApiError, Operation, Validate, Violations};

use super::{Target, behaviour};

type Decode = fn(&[u8]) -> u64;

/// Longer records are left out, as in the audit log.
const RECORD_BYTES: usize = 4096;

macro_rules! operations {
    ($($api:ident: $($operation:ident)*;)*) => {
        [$($((stringify!($operation), decode::<$api::ops::$operation> as Decode)),*),*]
    };
}

const JSON_OPERATIONS: [(&str, Decode); 35] = operations! {
    api_ecs: CreateCluster CreateService RunTask RegisterTaskDefinition UpdateService StopTask
        DescribeTasks ListTasks PutAttributes TagResource ListContainerInstances
        UpdateTaskProtection StartTask DeleteTaskDefinitions PutAccountSetting
        UpdateContainerInstancesState DescribeServices ListServiceDeployments;
    api_logs: CreateLogGroup FilterLogEvents GetLogEvents DescribeLogStreams PutRetentionPolicy
        PutLogEvents;
    api_cloudtrail: CreateTrail LookupEvents;
    api_organizations: CreatePolicy CreateAccount ListAccounts AttachPolicy TagResource;
    api_portcullis: CreateJoinToken ListJoinTokens RevokeNode GetAccessReport;
};

const QUERY_OPERATIONS: [(&str, Decode); 17] = operations! {
    api_iam: CreateUser CreateRole CreatePolicy PutRolePolicy ListUsers SimulateCustomPolicy TagRole
        CreateAccessKey CreateOpenIDConnectProvider UpdateAssumeRolePolicy GetAccountSummary
        CreateInstanceProfile GenerateServiceLastAccessedDetails
        EnableMFADevice;
    api_sts: AssumeRole GetCallerIdentity AssumeRoleWithWebIdentity;
};

pub(super) const JSON: Target = Target {
    name: "wire_json",
    dictionary: &[
        "RunTask\n",
        "CreateService\n",
        "PutLogEvents\n",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "true",
        "{\"",
        "\":{",
        "\":[",
        "[[[[",
        "{\"a\":",
        "\\u0000",
        "\\ud83d\\ude00",
        "1e400",
        "\"__type\":",
        "cluster",
        "tags",
        "key",
        "value",
        "containerDefinitions",
        "overrides",
    ],
    repair: None,
    run: |input| dispatch(&JSON_OPERATIONS, input),
};

pub(super) const QUERY: Target = Target {
    name: "wire_query",
    dictionary: &[
        "CreateRole\n",
        "AssumeRole\n",
        "&",
        "=",
        ".member.1",
        ".member.",
        "Tags.member.1.Key=",
        "PolicyInputList.member.1=",
        "%",
        "%00",
        "%FF",
        "%C3%A9",
        "+",
        ".",
        "Action=",
        "Version=",
        ".member.2147483648.",
        "1",
        "true",
        "RoleName=",
        "PolicyDocument=",
    ],
    repair: None,
    run: |input| dispatch(&QUERY_OPERATIONS, input),
};

fn dispatch(operations: &[(&str, Decode)], input: &[u8]) -> u64 {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (name, body) = input.split_at(end);
    let found = operations.iter().position(|(operation, _)| operation.as_bytes() == name);
    // Any other name stands for one too.
    let sum = name.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let (_, decode) = operations[found.unwrap_or(sum % operations.len())];
    decode(body.get(1..).unwrap_or_default())
}

fn decode<Op: Operation>(body: &[u8]) -> u64 {
    match wire::decode::<Op>(body) {
        Ok(input) => {
            let text = serde_json::to_vec(&input).expect("an input is written");
            let again: Op::Input = read(&text);
            assert_eq!(again, input, "{} reads otherwise after it was written", Op::NAME);
            let mut violations = Violations::default();
            again.validate(&mut violations);
            assert_eq!(violations.into_result("ValidationException"), Ok(()), "{}", Op::NAME);
            if let wire::Recorded::Json(text) = wire::record(&input, RECORD_BYTES) {
                let _value: serde_json::Value = read(text.as_bytes());
                assert!(text.len() <= RECORD_BYTES, "{} bytes are recorded", text.len());
            }
            // How much of it is there.
            let members = text.iter().filter(|byte| **byte == b':').count();
            behaviour(&(Op::NAME, "x".repeat(members.min(100))))
        }
        Err(error) => {
            answer(Op::API, &error);
            behaviour(&(Op::NAME, error))
        }
    }
}

fn read<T: DeserializeOwned>(text: &[u8]) -> T {
    serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

/// An error's answer can be read by clients, whatever it quotes.
fn answer(api: &Api, error: &ApiError) {
    let response = wire::encode_error(api, error, "request");
    let text = String::from_utf8(response.body).expect("an answer in UTF-8");
    if text.starts_with('<') {
        let (_, rest) = text.split_once("<Message>").expect("a message");
        let (message, _) = rest.split_once("</Message>").expect("an end of the message");
        let plain = |c: char| c != '<' && (c >= ' ' || matches!(c, '\t' | '\n' | '\r'));
        assert!(message.chars().all(plain), "no client can read {message:?}");
    } else {
        let _value: serde_json::Value = read(text.as_bytes());
    }
    // Quoting all of the input would let callers fill logs.
    assert!(error.message.len() < 16 * 1024, "{} bytes of message", error.message.len());
}
