use base::Timestamp;
use bytes::Bytes;
use policy::Caller;
use wire::{Api, AwsJson, NoOutput, Operation, OperationInfo, Protocol};

use crate::{Call, Service};

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
    operations: &[
        OperationInfo { name: "Break", errors: &[], has_output: true, result_wrapper: None },
        OperationInfo { name: "Play", errors: &[], has_output: true, result_wrapper: None },
    ],
    operation_names: &["Break", "Paint", "Play"],
};

macro_rules! toy_operation {
    ($name:ident) => {
        #[derive(Debug)]
        struct $name;

        impl Operation for $name {
            const NAME: &'static str = stringify!($name);
            const API: &'static Api = &API;
            type Codec = AwsJson;
            type Input = NoOutput;
            type Output = NoOutput;
        }
    };
}

toy_operation!(Play);
toy_operation!(Break);

mod play {
    use policy::{Access, Authorized, Caller};
    use wire::{ApiError, NoOutput};

    pub(super) fn accesses(owner: &String, _caller: &Caller, _input: &NoOutput) -> Vec<Access> {
        vec![Access::of::<super::Play>(format!("arn:aws:toys:us-east-1:{owner}:toy/a"))]
    }

    pub(super) async fn execute(
        _owner: &String,
        _call: Authorized<super::Play>,
    ) -> Result<NoOutput, ApiError> {
        Ok(NoOutput {})
    }
}

mod broken {
    use policy::{Access, Authorized, Caller};
    use wire::{ApiError, NoOutput};

    pub(super) fn accesses(_owner: &String, _caller: &Caller, _input: &NoOutput) -> Vec<Access> {
        Vec::new()
    }

    pub(super) async fn execute(
        _owner: &String,
        _call: Authorized<super::Break>,
    ) -> Result<NoOutput, ApiError> {
        Err(ApiError::sender("BrokenException", "it broke"))
    }
}

crate::operations! {
    /// A service of toys that belong to the account it holds.
    pub(crate) struct Toys(String) for API {
        Play => play,
        Break => broken,
    }
}

mod closed {
    use base::AccountId;

    use super::{API, Break, Play, broken, play};

    fn account(owner: &str) -> &AccountId {
        static OWN: std::sync::OnceLock<AccountId> = std::sync::OnceLock::new();
        OWN.get_or_init(|| owner.parse().unwrap())
    }

    crate::operations! {
        /// As `Toys`, for callers of one account only.
        pub(crate) struct OwnToys(String) for API, of account {
            Play => play,
            Break => broken,
        }
    }
}

#[test]
fn what_is_of_one_account_is_denied_to_all_others() {
    let service = closed::OwnToys::new("123456789012".to_owned());
    assert_eq!(service.context(), "123456789012");
    for (account, status) in [("123456789012", 200), ("999999999999", 400)] {
        let region = "us-east-1".parse().unwrap();
        let caller = Caller::root(account.parse().unwrap(), region, Timestamp::default());
        let call = Call { operation: "Play", caller, body: Bytes::from_static(b"{}") };
        let outcome = futures_util::future::FutureExt::now_or_never(service.call(call)).unwrap();
        assert_eq!(outcome.response.status, status, "{account}");
        let is_denied = outcome.considered.decisions.iter().any(|one| !one.decision.is_allowed());
        assert_eq!(is_denied, status == 400, "{account}");
    }
}

fn check(owner: &str, operation: &'static str, body: &'static str, status: u16, expected: &str) {
    let caller = Caller::root(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        Timestamp::default(),
    );
    let service = Toys::new(owner.to_owned());
    let call = Call { operation, caller, body: Bytes::from_static(body.as_bytes()) };
    let response =
        futures_util::future::FutureExt::now_or_never(service.call(call)).unwrap().response;
    let text = String::from_utf8(response.body).unwrap();
    assert_eq!(response.status, status, "{text}");
    assert!(text.contains(expected), "{text}");
    assert_eq!(service.context(), owner);
}

#[test]
fn a_call_is_decoded_authorised_executed_and_encoded() {
    check("123456789012", "Play", "{}", 200, "{}");
    check("123456789012", "Break", "{}", 400, "it broke");
    check("123456789012", "Play", "{", 400, "SerializationException");
    check("999999999999", "Play", "{}", 400, "AccessDeniedException");
    check("123456789012", "Paint", "{}", 400, "not served here");
}

#[test]
fn an_outcome_holds_what_goes_on_record() {
    let caller = Caller::root(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        Timestamp::default(),
    );
    let service = Toys::new("123456789012".to_owned());
    let call = Call { operation: "Break", caller, body: Bytes::from_static(b"{}") };
    let outcome = futures_util::future::FutureExt::now_or_never(service.call(call)).unwrap();
    let error = outcome.error.unwrap();
    assert_eq!((error.code.as_ref(), error.message.as_str()), ("BrokenException", "it broke"));
}
