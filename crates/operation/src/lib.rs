//! How a request becomes a call of one operation: decode, authorise, execute, encode.
//!
//! The author of a service writes one module per operation with two functions and names them in
//! [`operations!`], which makes the service's dispatch table:
//!
//! ```ignore
//! // ops/run_task.rs
//! pub fn accesses(ctx: &EcsContext, caller: &Caller, input: &RunTaskRequest) -> Vec<Access> { … }
//! pub async fn execute(
//!     ctx: &EcsContext,
//!     call: Authorized<RunTask>,
//! ) -> Result<RunTaskResponse, ApiError> { … }
//!
//! // lib.rs
//! operation::operations! {
//!     /// Amazon ECS.
//!     pub struct EcsService(EcsContext) for api_ecs::API {
//!         api_ecs::RunTask => ops::run_task,
//!     }
//! }
//! ```

mod record;

use base::AccountId;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use policy::{
    Access, Authorized, Caller, Decided, Decision, Decisions, Denied, PolicyType, authorize,
};
use wire::{Api, ApiError, Operation, Protocol, Recorded, Response};

pub use record::{
    CallRecord, ErrorFacts, MAX_ELEMENT_BYTES, NoRecord, Recorder, Slot, Who, is_read_only,
    is_weighty, issues_credentials,
};

/// What the code that [`operations!`] writes refers to.
#[doc(hidden)]
pub mod export {
    pub use futures_util::future::BoxFuture;
    pub use wire::{Api, Operation};
}

/// A call of one operation, authenticated and not yet authorised.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation's name, as the service's [`Api`] spells it.
    pub operation: &'static str,
    /// Who is calling.
    pub caller: Caller,
    /// The body; for awsQuery the form. Its size was limited when it was read.
    pub body: Bytes,
}

/// What is known of a call before it is performed.
#[derive(Debug, Clone, Default)]
pub struct Considered {
    /// What was asked for, for the record; absent when it could not be read.
    pub request: Recorded,
    /// What was decided about what the call wanted to do; empty when its input could not be read.
    pub decisions: Decisions,
}

/// How a call ended, and what is to go on record about it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer.
    pub response: Response,
    /// What was asked for and decided.
    pub considered: Considered,
    /// What was answered, for the record; of weighty operations only ([`is_weighty`]).
    pub elements: Recorded,
    /// What went wrong.
    pub error: Option<ErrorFacts>,
}

impl Outcome {
    /// A successful answer to a call that nothing was decided about.
    pub fn undecided(response: Response) -> Self {
        let (considered, elements) = (Considered::default(), Recorded::Absent);
        Self { response, considered, elements, error: None }
    }

    /// An error of a call that nothing was decided about.
    pub fn failed(api: &Api, error: &ApiError, request_id: &str) -> Self {
        let response = wire::encode_error(api, error, request_id);
        Self { error: Some(ErrorFacts::from(error)), ..Self::undecided(response) }
    }
}

/// What of a service may be called without a signature: what is in the call says who makes it.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The operations.
    pub operations: &'static [&'static str],
    /// The account that such calls are made to.
    pub account: &'a AccountId,
}

/// One AWS service, ready to be called.
pub trait Service: Send + Sync {
    /// What the service is on the wire.
    fn api(&self) -> &'static Api;

    /// What may be called without a signature.
    fn unsigned(&self) -> Option<Unsigned<'_>> {
        None
    }

    /// Performs a call. Failures are answers too.
    fn call(&self, call: Call) -> BoxFuture<'_, Outcome>;
}

/// Decodes the input of `Op` and asks `policy` whether the caller may do all that `accesses` finds
/// in it. Returns what is known of the call with the proof or the error.
///
/// # Errors
/// What [`wire::decode`] finds wrong with the body, or [`access_denied`].
pub fn admit<Op: Operation>(
    call: Call,
    accesses: impl FnOnce(&Caller, &Op::Input) -> Vec<Access>,
) -> (Considered, Result<Authorized<Op>, ApiError>) {
    let input = match wire::decode::<Op>(&call.body) {
        Ok(input) => input,
        Err(error) => return (Considered::default(), Err(error)),
    };
    let request = wire::record(&input, MAX_ELEMENT_BYTES);
    let accesses = accesses(&call.caller, &input);
    let (decisions, authorized) = authorize::<Op>(call.caller, accesses, input);
    let admitted = authorized.map_err(|denied| access_denied(Op::API, &denied));
    (Considered { request, decisions }, admitted)
}

/// The error for a call that policy denies, in the code and status of the service's protocol.
pub fn access_denied(api: &Api, denied: &Denied) -> ApiError {
    match api.protocol {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            ApiError::sender("AccessDeniedException", denied.to_string())
        }
        Protocol::AwsQuery => ApiError::sender("AccessDenied", denied.to_string()).with_status(403),
    }
}

/// The denial of a call to a service whose resources are all of `account`, by somebody of another
/// one; `None` for everybody of that account. Most accesses name the account in an ARN, and what has
/// none, such as a list, is decided here.
pub fn of_another_account(api: &'static Api, call: &Call, account: &AccountId) -> Option<Outcome> {
    let principal = &call.caller.principal;
    if principal.account == *account {
        return None;
    }
    let access = Access::new(format!("{}:{}", api.signing_name, call.operation), "*");
    let decision = Decision::NotAllowed(PolicyType::Resource);
    let denied = Denied {
        principal: principal.arn.clone(),
        action: access.action.clone().into_owned(),
        resource: access.resource.clone(),
        decision: Box::new(decision.clone()),
    };
    let decisions = Decisions::from([Decided { access, decision }]);
    let outcome = Outcome::failed(api, &access_denied(api, &denied), &call.caller.request_id);
    let considered = Considered { request: Recorded::Absent, decisions };
    Some(Outcome { considered, ..outcome })
}

/// Writes the outcome of `Op`, as an answer and for the record.
pub fn answer<Op: Operation>(
    considered: Considered,
    outcome: &Result<Op::Output, ApiError>,
    request_id: &str,
) -> Outcome {
    match outcome {
        Ok(output) => Outcome {
            response: wire::encode::<Op>(output, request_id),
            considered,
            elements: if is_weighty(Op::NAME) {
                wire::record(output, MAX_ELEMENT_BYTES)
            } else {
                Recorded::Absent
            },
            error: None,
        },
        Err(error) => Outcome { considered, ..Outcome::failed(Op::API, error, request_id) },
    }
}

/// The answer to a call of an operation that the service has no module for.
pub fn unhandled(api: &'static Api, call: &Call) -> Outcome {
    let error = match api.operation(call.operation) {
        Err(unknown) => unknown,
        Ok(info) => ApiError::receiver(
            "InternalFailure",
            format!("`{}` is in the list of served operations and has no code", info.name),
        ),
    };
    Outcome::failed(api, &error, &call.caller.request_id)
}

/// Makes a [`Service`] out of one module per operation; see the crate's documentation. With `, of
/// path` behind the API, everything is of the account that `path`, a function of the context, tells,
/// and calls from other accounts are denied.
///
/// The type gets `new(context)`, `context()` and a test that the operations named here are those
/// of the [`Api`], no more and no fewer.
#[macro_export]
macro_rules! operations {
    (
        $(#[$meta:meta])*
        $vis:vis struct $service:ident($context:ty) for $api:path $(, of $account:path)? {
            $($operation:path => $($module:ident)::+),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $service {
            context: $context,
        }

        impl $service {
            /// The service over `context`.
            $vis const fn new(context: $context) -> Self {
                Self { context }
            }

            /// What the operations work on.
            $vis const fn context(&self) -> &$context {
                &self.context
            }
        }

        impl ::std::fmt::Debug for $service {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(stringify!($service))
            }
        }

        impl $crate::Service for $service {
            fn api(&self) -> &'static $crate::export::Api {
                &$api
            }

            fn call(
                &self,
                call: $crate::Call,
            ) -> $crate::export::BoxFuture<'_, $crate::Outcome> {
                let context = &self.context;
                $(if let Some(denial) =
                    $crate::of_another_account(&$api, &call, $account(context))
                {
                    return ::std::boxed::Box::pin(::std::future::ready(denial));
                })?
                match call.operation {
                    $(<$operation as $crate::export::Operation>::NAME => {
                        ::std::boxed::Box::pin(async move {
                            let request_id = ::std::sync::Arc::clone(&call.caller.request_id);
                            let (considered, admitted) =
                                $crate::admit::<$operation>(call, |caller, input| {
                                    $($module)::+::accesses(context, caller, input)
                                });
                            let outcome = match admitted {
                                Ok(authorized) => {
                                    $($module)::+::execute(context, authorized).await
                                }
                                Err(error) => Err(error),
                            };
                            $crate::answer::<$operation>(considered, &outcome, &request_id)
                        })
                    })+
                    _ => ::std::boxed::Box::pin(::std::future::ready($crate::unhandled(
                        &$api, &call,
                    ))),
                }
            }
        }

        #[cfg(test)]
        #[test]
        fn registered_operations_are_exactly_those_in_scope() {
            let mut registered = vec![$(<$operation as $crate::export::Operation>::NAME),+];
            registered.sort_unstable();
            let in_scope: Vec<&str> = $api.operations.iter().map(|info| info.name).collect();
            assert_eq!(registered, in_scope);
        }
    };
}

#[cfg(test)]
mod tests;
