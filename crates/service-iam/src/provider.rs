//! What operations on OpenID Connect providers share.

use base::AccountId;
use iam::OpenIdConnectProvider;
use policy::{Access, Caller};
use state::{Row, View};
use wire::{ApiError, Operation};

use crate::error::{invalid_input, no_such_entity, quota_exceeded, validation};
use crate::{IamContext, access};

/// Providers of an account.
pub(crate) const MAX_PROVIDERS: usize = 100;
/// Client ids of a provider.
const MAX_CLIENT_IDS: usize = 100;
/// Thumbprints of a provider.
const MAX_THUMBPRINTS: usize = 5;

/// The provider of this ARN.
pub(crate) fn find<'a>(
    view: &'a View,
    account: &AccountId,
    arn: &str,
) -> Result<&'a Row<OpenIdConnectProvider>, ApiError> {
    lookup(view, account, arn)
        .ok_or_else(|| no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}")))
}

fn lookup<'a>(
    view: &'a View,
    account: &AccountId,
    arn: &str,
) -> Option<&'a Row<OpenIdConnectProvider>> {
    let issuer = arn.strip_prefix(&format!("arn:aws:iam::{account}:oidc-provider/"))?;
    of_issuer(view, account, issuer)
}

/// The provider of this issuer.
pub(crate) fn of_issuer<'a>(
    view: &'a View,
    account: &AccountId,
    issuer: &str,
) -> Option<&'a Row<OpenIdConnectProvider>> {
    view.identities().open_id_connect_provider(&iam::key(account, &issuer.replace('/', "|")))
}

/// The issuer that a URL names: host, port and path.
///
/// # Errors
/// `ValidationError` when it is no `https` URL without query and fragment.
pub(crate) fn issuer(url: &str) -> Result<String, ApiError> {
    let issuer = url.strip_prefix("https://").unwrap_or_default().trim_end_matches('/');
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'%')
    };
    let host = issuer.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() || !issuer.bytes().all(is_plain) {
        return Err(validation("Invalid Open ID Connect Provider URL"));
    }
    Ok(issuer.to_owned())
}

/// Checks thumbprints, and writes them in lower case.
pub(crate) fn thumbprints(given: Vec<String>) -> Result<Vec<String>, ApiError> {
    if given.len() > MAX_THUMBPRINTS {
        return Err(invalid_input("Thumbprint list must contain fewer than 5 entries."));
    }
    if given.iter().any(|thumbprint| !thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(validation("Thumbprint contains illegal characters"));
    }
    Ok(given.into_iter().map(|thumbprint| thumbprint.to_ascii_lowercase()).collect())
}

/// Whether a provider may have so many client ids.
pub(crate) fn check_client_ids(count: usize) -> Result<(), ApiError> {
    if count > MAX_CLIENT_IDS {
        return Err(quota_exceeded("ClientIdsPerOpenIdConnectProvider", MAX_CLIENT_IDS));
    }
    Ok(())
}

/// The operation's action on a provider, with its tags.
pub(crate) fn on<Op: Operation>(ctx: &IamContext, caller: &Caller, arn: Option<&str>) -> Access {
    let arn = arn.unwrap_or_default();
    match lookup(&ctx.state.view(), &caller.principal.account, arn) {
        Some(provider) => access::on::<Op>(provider.arn(), &provider.tags),
        None => Access::of::<Op>(arn),
    }
}

#[cfg(test)]
mod tests {
    use super::issuer;

    #[test]
    fn an_issuer_is_an_https_url_without_query() {
        let check = |url, expected: Option<&str>| {
            assert_eq!(issuer(url).ok().as_deref(), expected, "{url}");
        };
        check("https://example.com", Some("example.com"));
        check("https://example.com:8443/id/A1/", Some("example.com:8443/id/A1"));
        check("http://example.com", None);
        check("https://", None);
        check("https:///path", None);
        check("https://example.com?a=b", None);
        check("https://example.com/#a", None);
    }
}
