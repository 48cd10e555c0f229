//! Tokens of identity providers outside (OpenID Connect).

use std::collections::BTreeMap;
use std::sync::Arc;

use api_sts::errors;
use api_sts::types::AssumeRoleWithWebIdentityRequest;
use base::AccountId;
use iam::OpenIdConnectProvider;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use policy::{Caller, Permissions, Principal, PrincipalKind, SessionFacts};
use serde::Deserialize;
use wire::ApiError;

use crate::provider_keys::KeysError;
use crate::{StsContext, error, role};

/// How far the clocks of a provider and ours may be apart, in seconds.
const LEEWAY_S: f64 = 60.0;
/// How old a token may be, in seconds.
const MAX_AGE_S: f64 = 24.0 * 60.0 * 60.0;

const NOT_A_TOKEN: &str = "The ID Token provided is not a valid JWT. (You may see this error if you \
                           sent an Access Token)";

/// For whom a provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebIdentity {
    /// The issuer without `https://`.
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// The audience that the provider is registered for.
    pub(crate) audience: String,
    pub(crate) provider_arn: String,
}

/// What a token says.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Verifies the token of a call. The caller is nobody then, but that the provider vouches.
///
/// # Errors
/// `InvalidIdentityToken`, `ExpiredTokenException`, `IDPCommunicationError`, and `ValidationError`
/// when the role's ARN is none.
pub(crate) async fn verify(
    context: &StsContext,
    caller: &Caller,
    input: &AssumeRoleWithWebIdentityRequest,
) -> Result<Caller, ApiError> {
    let account = role::account_of(input.role_arn.as_deref().unwrap_or_default())?;
    if input.provider_id.is_some() {
        return Err(error::validation(
            "ProviderId is for OAuth 2.0 access tokens, which are not taken: pass an OpenID Connect \
             ID token without it",
        ));
    }
    let token = input.web_identity_token.as_deref().unwrap_or_default();
    let invalid = |message: &str| errors::invalid_identity_token_exception(message);
    let header = jsonwebtoken::decode_header(token).map_err(|_| invalid(NOT_A_TOKEN))?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(invalid("The ID Token must be signed with RS256 or ES256"));
    }
    let claims: Claims =
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| invalid(NOT_A_TOKEN))?;
    let provider = provider(context, &account, &claims.iss).ok_or_else(|| {
        let issuer = &claims.iss;
        invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    let key = context.provider_keys.key(&provider, header.kid.as_deref()).await;
    let key = key.map_err(|error| no_key(&provider, &error))?;
    is_signed(token, header.alg, &key)?;
    let audience = audience(&claims, &provider);
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    is_current(&claims, context.clock.now().as_epoch_seconds())?;
    let identity = WebIdentity {
        issuer: provider.issuer.clone(),
        subject: claims.sub,
        audience,
        provider_arn: provider.arn(),
    };
    Ok(identity.caller(account, caller))
}

/// For whom the provider vouches in a call whose token [`verify`] verified, as `caller` tells; `None` for any
/// other call.
pub(crate) fn verified(
    context: &StsContext,
    caller: &Caller,
    input: &AssumeRoleWithWebIdentityRequest,
) -> Option<WebIdentity> {
    let provider_arn = caller.session.federated_provider.clone()?;
    if caller.principal.kind != PrincipalKind::Anonymous {
        return None;
    }
    let token = input.web_identity_token.as_deref()?;
    let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    let provider = provider(context, &caller.principal.account, &claims.iss)?;
    let audience = audience(&claims, &provider)?;
    let issuer = provider.issuer;
    Some(WebIdentity { issuer, subject: claims.sub, audience, provider_arn })
}

fn provider(
    context: &StsContext,
    account: &AccountId,
    issuer: &str,
) -> Option<OpenIdConnectProvider> {
    let issuer = issuer.strip_prefix("https://")?;
    let key = iam::key(account, &issuer.replace('/', "|"));
    let view = context.state.view();
    let provider = view.identities().open_id_connect_provider(&key)?;
    (provider.issuer == issuer).then(|| provider.value.as_ref().clone())
}

fn no_key(provider: &OpenIdConnectProvider, error: &KeysError) -> ApiError {
    tracing::warn!(issuer = provider.issuer, %error, "an identity provider's key cannot be had");
    match error {
        KeysError::Fetch(_) | KeysError::Content { .. } => {
            errors::idp_communication_error_exception(
                "Couldn't retrieve verification key from your identity provider, please reference \
                 AssumeRoleWithWebIdentity documentation for requirements",
            )
        }
        KeysError::NoSuchKey => errors::invalid_identity_token_exception(
            "Couldn't retrieve verification key from your identity provider: it does not publish the \
             key that the token names",
        ),
    }
}

/// Checks the signature alone: the rest is checked with our own clock.
fn is_signed(token: &str, algorithm: Algorithm, key: &Jwk) -> Result<(), ApiError> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let for_signing = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let key = DecodingKey::from_jwk(key).ok().filter(|_| for_signing);
    let signed = key.is_some_and(|key| {
        jsonwebtoken::decode::<serde::de::IgnoredAny>(token, &key, &validation).is_ok()
    });
    signed.then_some(()).ok_or_else(|| {
        errors::invalid_identity_token_exception("The token's signature is not valid")
    })
}

/// The audience that counts: the authorised party, where the token names one.
fn audience(claims: &Claims, provider: &OpenIdConnectProvider) -> Option<String> {
    let named: &[String] = match (&claims.azp, &claims.aud) {
        (Some(party), _) => std::slice::from_ref(party),
        (None, Audience::One(one)) => std::slice::from_ref(one),
        (None, Audience::Many(many)) => many,
    };
    named.iter().find(|one| provider.client_ids.contains(*one)).cloned()
}

fn is_current(claims: &Claims, now_s: f64) -> Result<(), ApiError> {
    if now_s >= claims.exp {
        let (now, end) = (now_s.floor(), claims.exp);
        return Err(errors::expired_token_exception(format!(
            "Token expired: current date/time {now} must be before the expiration date/time {end}"
        )));
    }
    let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
    if begins > now_s + LEEWAY_S {
        return Err(errors::invalid_identity_token_exception("The token is not valid yet"));
    }
    if claims.iat < now_s - MAX_AGE_S {
        return Err(errors::invalid_identity_token_exception(
            "The token must be issued within the last 24 hours",
        ));
    }
    Ok(())
}

impl WebIdentity {
    fn caller(&self, account: AccountId, caller: &Caller) -> Caller {
        let name = format!("{}:{}:{}", self.provider_arn, self.audience, self.subject);
        let principal = Principal {
            account,
            arn: name.clone(),
            user_id: name,
            kind: PrincipalKind::Anonymous,
            tags: BTreeMap::new(),
        };
        let session = SessionFacts {
            federated_provider: Some(self.provider_arn.clone()),
            ..SessionFacts::default()
        };
        Caller {
            principal: Arc::new(principal),
            permissions: Arc::new(Permissions::default()),
            session: Arc::new(session),
            ..caller.clone()
        }
    }
}
