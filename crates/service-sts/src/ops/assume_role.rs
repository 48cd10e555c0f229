//! `AssumeRole`: credentials of a role, for those whom it trusts.

use std::collections::{BTreeMap, BTreeSet};

use api_sts::ops::AssumeRole;
use api_sts::types::{AssumeRoleRequest, AssumeRoleResponse};
use identity::SessionSpec;
use policy::{Access, Authorized, Caller, PrincipalKind};
use wire::ApiError;

use crate::{StsContext, error, role, session_policies};

/// Becoming the role; passing tags on and saying who is behind it are permissions of their own. All of them
/// the role's trust policy must give.
pub(crate) fn accesses(
    context: &StsContext,
    caller: &Caller,
    input: &AssumeRoleRequest,
) -> Vec<Access> {
    let arn = input.role_arn.as_deref().unwrap_or_default();
    let role = role::find(context, arn);
    let source_identity =
        input.source_identity.as_deref().or(caller.session.source_identity.as_deref());
    let tags = input.tags.as_deref().unwrap_or_default();
    let access = |action| {
        let mut access = role::access(context, action, arn, role.as_ref());
        for (name, value) in [
            ("sts:ExternalId", input.external_id.as_deref()),
            ("sts:RoleSessionName", input.role_session_name.as_deref()),
            ("sts:SourceIdentity", source_identity),
        ] {
            if let Some(value) = value {
                access = access.with_key(name, value);
            }
        }
        for key in input.transitive_tag_keys.iter().flatten() {
            access = access.with_key("sts:TransitiveTagKeys", key.as_str());
        }
        access.with_request_tags(tags.iter().map(|tag| {
            (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
        }))
    };
    let mut accesses = vec![access("sts:AssumeRole")];
    if !tags.is_empty() {
        accesses.push(access("sts:TagSession"));
    }
    if source_identity.is_some() {
        accesses.push(access("sts:SetSourceIdentity"));
    }
    accesses
}

pub(crate) async fn execute(
    context: &StsContext,
    call: Authorized<AssumeRole>,
) -> Result<AssumeRoleResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let arn = input.role_arn.as_deref().unwrap_or_default();
    let session_name = input.role_session_name.as_deref().unwrap_or_default();
    // It was there when the call was authorised.
    let role = role::find(context, arn)
        .ok_or_else(|| error::access_denied(format!("{arn} cannot be assumed")))?;
    let chained = matches!(caller.principal.kind, PrincipalKind::AssumedRole { .. });
    let lifetime = role::duration(&role, input.duration_seconds, chained)?;
    let mut spec = SessionSpec::of_role(&role, session_name);
    let (policy, arns) = (input.policy.as_deref(), input.policy_arns.as_deref());
    session_policies::put(context, &role.account, policy, arns, &mut spec)?;
    put_tags(&caller, &input, &mut spec)?;
    spec.source_identity = source_identity(&caller, input.source_identity.as_deref())?;
    let packed = spec.policy.is_some() || !spec.policy_arns.is_empty() || !spec.tags.is_empty();
    let source_identity = spec.source_identity.clone();
    let issued = context.sessions.issue(spec, lifetime).map_err(|error| error::issue(&error))?;
    Ok(AssumeRoleResponse {
        assumed_role_user: Some(role::assumed(&role, session_name)),
        credentials: Some(role::credentials(&issued)),
        packed_policy_size: packed.then(|| issued.packed_size_percent.into()),
        session_token_size: None,
        session_token_utilization: None,
        source_identity,
    })
}

/// Who is behind a session stays what it was once set.
fn source_identity(caller: &Caller, given: Option<&str>) -> Result<Option<String>, ApiError> {
    match (caller.session.source_identity.as_deref(), given) {
        (Some(own), Some(given)) if own != given => Err(error::access_denied(
            "The source identity of the calling session cannot be changed: leave SourceIdentity out",
        )),
        (own, given) => Ok(given.or(own).map(str::to_owned)),
    }
}

/// The tags that are passed, and those of the calling session that go on to the next.
fn put_tags(
    caller: &Caller,
    input: &AssumeRoleRequest,
    spec: &mut SessionSpec,
) -> Result<(), ApiError> {
    let inherited: BTreeMap<_, _> = caller
        .principal
        .tags
        .iter()
        .filter(|(key, _)| caller.session.transitive_tag_keys.contains(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut seen = BTreeSet::new();
    for tag in input.tags.iter().flatten() {
        let key = tag.key.as_deref().unwrap_or_default();
        let lower = key.to_lowercase();
        if lower.starts_with("aws:") {
            return Err(error::validation(format!(
                "The tag key `{key}` begins with `aws:`, which is reserved"
            )));
        }
        if inherited.keys().any(|other| other.to_lowercase() == lower) {
            return Err(error::validation(format!(
                "The tag `{key}` is a transitive tag of the calling session and cannot be set again"
            )));
        }
        if !seen.insert(lower) {
            return Err(error::validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        spec.tags.insert(key.to_owned(), tag.value.clone().unwrap_or_default());
    }
    for key in input.transitive_tag_keys.iter().flatten() {
        let own = spec.tags.keys().find(|own| own.eq_ignore_ascii_case(key)).cloned();
        spec.transitive_tag_keys.insert(own.ok_or_else(|| {
            error::validation(format!(
                "The transitive tag key `{key}` must be one of the tags that are passed"
            ))
        })?);
    }
    spec.transitive_tag_keys.extend(inherited.keys().cloned());
    spec.tags.extend(inherited);
    Ok(())
}
