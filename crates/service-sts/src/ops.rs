//! One module per operation: what it is authorised on, and what it does.

pub(crate) mod get_caller_identity;
