//! `AssumeRoleWithWebIdentity`: credentials of a role, for whom an identity provider vouches. The token
//! was verified in `identify`.

use api_sts::ops::AssumeRoleWithWebIdentity;
use api_sts::types::{AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse};
use identity::SessionSpec;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{StsContext, error, role, session_policies, web_identity};

/// Becoming the role, which its trust policy must allow to the provider.
pub(crate) fn accesses(
    context: &StsContext,
    caller: &Caller,
    input: &AssumeRoleWithWebIdentityRequest,
) -> Vec<Access> {
    let arn = input.role_arn.as_deref().unwrap_or_default();
    let role = role::find(context, arn);
    let session_name = input.role_session_name.as_deref().unwrap_or_default();
    let mut access = role::access(context, "sts:AssumeRoleWithWebIdentity", arn, role.as_ref())
        .with_key("sts:RoleSessionName", session_name);
    if let Some(identity) = web_identity::verified(context, caller, input) {
        let issuer = &identity.issuer;
        access = access
            .with_key(&format!("{issuer}:sub"), identity.subject)
            .with_key(&format!("{issuer}:aud"), identity.audience);
    }
    vec![access]
}

pub(crate) async fn execute(
    context: &StsContext,
    call: Authorized<AssumeRoleWithWebIdentity>,
) -> Result<AssumeRoleWithWebIdentityResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let arn = input.role_arn.as_deref().unwrap_or_default();
    let session_name = input.role_session_name.as_deref().unwrap_or_default();
    // Both were there when the call was authorised.
    let role = role::find(context, arn);
    let identity = web_identity::verified(context, &caller, &input);
    let (role, identity) = role.zip(identity).ok_or_else(|| {
        error::access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    })?;
    let lifetime = role::duration(&role, input.duration_seconds, false)?;
    let mut spec = SessionSpec::of_role(&role, session_name);
    let (policy, arns) = (input.policy.as_deref(), input.policy_arns.as_deref());
    session_policies::put(context, &role.account, policy, arns, &mut spec)?;
    spec.federated_provider = Some(identity.provider_arn.clone());
    let packed = spec.policy.is_some() || !spec.policy_arns.is_empty();
    let issued = context.sessions.issue(spec, lifetime).map_err(|error| error::issue(&error))?;
    Ok(AssumeRoleWithWebIdentityResponse {
        assumed_role_user: Some(role::assumed(&role, session_name)),
        audience: Some(identity.audience),
        credentials: Some(role::credentials(&issued)),
        packed_policy_size: packed.then(|| issued.packed_size_percent.into()),
        provider: Some(identity.provider_arn),
        session_token_size: None,
        session_token_utilization: None,
        source_identity: None,
        subject_from_web_identity_token: Some(identity.subject),
    })
}
