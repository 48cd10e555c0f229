//! Why a signature is not accepted, in AWS's codes and words.

/// Which spelling of the error codes a protocol uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFamily {
    /// awsJson and restJson: `InvalidSignatureException`.
    Json,
    /// awsQuery, ec2Query and restXml: `SignatureDoesNotMatch`.
    Query,
}

/// Why a request is not authenticated. Display is the message that AWS sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request carries no signature at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature lacks something, or something in it cannot be read; the text lists it all.
    #[error("{0}")]
    Incomplete(String),
    /// The signature can be read and must not be accepted: time, scope, coverage.
    #[error("{0}")]
    Invalid(String),
    /// The signature is not the one that the secret gives for this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
    /// Nobody has this access key, or its session token is not the one that belongs to it.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
}

impl SignatureError {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Incomplete(_) => 400,
            Self::Missing | Self::Invalid(_) | Self::Mismatch | Self::UnknownAccessKey => 403,
        }
    }

    /// The error code that clients of `family` look for.
    pub const fn code(&self, family: ErrorFamily) -> &'static str {
        match (family, self) {
            (ErrorFamily::Json, Self::Missing) => "MissingAuthenticationTokenException",
            (ErrorFamily::Json, Self::Incomplete(_)) => "IncompleteSignatureException",
            (ErrorFamily::Json, Self::Invalid(_) | Self::Mismatch) => "InvalidSignatureException",
            (ErrorFamily::Json, Self::UnknownAccessKey) => "UnrecognizedClientException",
            (ErrorFamily::Query, Self::Missing) => "MissingAuthenticationToken",
            (ErrorFamily::Query, Self::Incomplete(_)) => "IncompleteSignature",
            (ErrorFamily::Query, Self::Invalid(_) | Self::Mismatch) => "SignatureDoesNotMatch",
            (ErrorFamily::Query, Self::UnknownAccessKey) => "InvalidClientTokenId",
        }
    }
}
