//! The operations of AWS STS: one file each in `ops/`, registered in one line each here.

mod ops;

operation::operations! {
    /// AWS Security Token Service. It needs nothing: all it knows is in the call.
    pub struct StsService(()) for api_sts::API {
        api_sts::ops::GetCallerIdentity => ops::get_caller_identity,
    }
}

#[cfg(test)]
mod tests;
