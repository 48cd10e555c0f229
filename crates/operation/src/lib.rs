//! How a request becomes a call of one operation: decode, authorise, execute, encode.
//!
//! The author of a service writes one module per operation with two functions and names them in
//! [`operations!`], which makes the service's dispatch table:
//!
//! ```ignore
//! // ops/run_task.rs
//! pub fn resources(ctx: &EcsContext, input: &RunTaskRequest) -> Vec<String> { … }
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

use bytes::Bytes;
use futures_util::future::BoxFuture;
use policy::{Authorized, Caller, Denied, authorize};
use wire::{Api, ApiError, Operation, Protocol, Response};

/// What the code that [`operations!`] writes refers to.
#[doc(hidden)]
pub mod export {
    pub use futures_util::future::BoxFuture;
    pub use wire::{Api, Operation, Response};
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

/// One AWS service, ready to be called.
pub trait Service: Send + Sync {
    /// What the service is on the wire.
    fn api(&self) -> &'static Api;

    /// Performs a call. Failures are answers too.
    fn call(&self, call: Call) -> BoxFuture<'_, Response>;
}

/// Decodes the input of `Op` and asks `policy` whether the caller may do that to the resources
/// that `resources` finds in it.
///
/// # Errors
/// What [`wire::decode`] finds wrong with the body, or [`access_denied`].
pub fn admit<Op: Operation>(
    call: Call,
    resources: impl FnOnce(&Op::Input) -> Vec<String>,
) -> Result<Authorized<Op>, ApiError> {
    let input = wire::decode::<Op>(&call.body)?;
    let resources = resources(&input);
    authorize::<Op>(call.caller, &resources, input)
        .map_err(|denied| access_denied(Op::API, &denied))
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

/// Writes the outcome of `Op`.
pub fn answer<Op: Operation>(outcome: &Result<Op::Output, ApiError>, request_id: &str) -> Response {
    match outcome {
        Ok(output) => wire::encode::<Op>(output, request_id),
        Err(error) => wire::encode_error(Op::API, error, request_id),
    }
}

/// The answer to a call of an operation that the service has no module for.
pub fn unhandled(api: &'static Api, call: &Call) -> Response {
    let error = match api.operation(call.operation) {
        Err(unknown) => unknown,
        Ok(info) => ApiError::receiver(
            "InternalFailure",
            format!("`{}` is in the list of served operations and has no code", info.name),
        ),
    };
    wire::encode_error(api, &error, &call.caller.request_id)
}

/// Makes a [`Service`] out of one module per operation; see the crate's documentation.
///
/// The type gets `new(context)`, `context()` and a test that the operations named here are those
/// of the [`Api`], no more and no fewer.
#[macro_export]
macro_rules! operations {
    (
        $(#[$meta:meta])*
        $vis:vis struct $service:ident($context:ty) for $api:path {
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
            ) -> $crate::export::BoxFuture<'_, $crate::export::Response> {
                let context = &self.context;
                match call.operation {
                    $(<$operation as $crate::export::Operation>::NAME => {
                        ::std::boxed::Box::pin(async move {
                            let request_id = ::std::sync::Arc::clone(&call.caller.request_id);
                            let admitted = $crate::admit::<$operation>(call, |input| {
                                $($module)::+::resources(context, input)
                            });
                            let outcome = match admitted {
                                Ok(authorized) => {
                                    $($module)::+::execute(context, authorized).await
                                }
                                Err(error) => Err(error),
                            };
                            $crate::answer::<$operation>(&outcome, &request_id)
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
