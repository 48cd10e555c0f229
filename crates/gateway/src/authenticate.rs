//! Why somebody is not who they claim to be, in the words of each protocol.

use identity::Refusal;
use sigv4::{ErrorFamily, SignatureError};
use wire::{Api, ApiError};

use crate::respond;

/// A refusal in the code and words of `api`'s protocol.
pub(crate) fn refused(api: &Api, refusal: &Refusal) -> ApiError {
    let (name, message) = match refusal {
        Refusal::Unknown => {
            return respond::signature_error(api, &SignatureError::UnknownAccessKey);
        }
        Refusal::Expired => {
            ("ExpiredToken", "The security token included in the request is expired")
        }
        Refusal::BoundElsewhere { .. } => (
            "AccessDenied",
            "The credentials are bound to a task and may be used only from within that task",
        ),
    };
    let status = match respond::family(api) {
        ErrorFamily::Json => 400,
        ErrorFamily::Query => 403,
    };
    respond::own_error(api, name, status, message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::Principal;
    use wire::Protocol;

    use super::*;

    const fn api(protocol: Protocol) -> Api {
        Api {
            service_id: "Toys",
            full_name: "Toy Service",
            signing_name: "toys",
            endpoint_prefix: "toys",
            target_prefix: None,
            protocol,
            api_version: "2026-01-01",
            xml_namespace: None,
            validation_error_code: "ValidationError",
            operations: &[],
            operation_names: &[],
        }
    }

    #[test]
    fn refusals_have_the_codes_of_each_protocol() {
        let elsewhere = Refusal::BoundElsewhere {
            principal: Arc::new(Principal::root("123456789012".parse().unwrap())),
            task_arn: "arn:task".to_owned(),
        };
        for (refusal, json, query) in [
            (Refusal::Unknown, "UnrecognizedClientException", "InvalidClientTokenId"),
            (Refusal::Expired, "ExpiredTokenException", "ExpiredToken"),
            (elsewhere, "AccessDeniedException", "AccessDenied"),
        ] {
            let found = refused(&api(Protocol::AwsJson1_1), &refusal);
            assert_eq!(found.code, json);
            let found = refused(&api(Protocol::AwsQuery), &refusal);
            assert_eq!((found.code.as_ref(), found.status), (query, 403));
            assert!(!found.message.contains("arn:"), "{}", found.message);
        }
    }
}
