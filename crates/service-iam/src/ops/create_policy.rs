//! `CreatePolicy`: a new managed policy, with its first version.

use std::collections::BTreeMap;

use api_iam::ops::CreatePolicy;
use api_iam::types::{CreatePolicyRequest, CreatePolicyResponse};
use iam::ManagedPolicy;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{already_exists, quota_exceeded};
use crate::{IamContext, access, managed, name, quota, render, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreatePolicyRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.policy_name.as_deref().unwrap_or_default();
    let own = Access::of::<CreatePolicy>(iam::arn(&caller.principal.account, "policy", path, name));
    access::to_create(own, input.tags.as_deref(), "iam:TagPolicy")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreatePolicy>,
) -> Result<CreatePolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let now = ctx.now();
    let version = managed::version(input.policy_document.unwrap_or_default(), now)?;
    let policy = ManagedPolicy {
        account: account.clone(),
        name: input.policy_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        id: identity::unique_id(ctx.ids.as_ref(), "ANPA"),
        description: input.description,
        created_at: now,
        updated_at: now,
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, version)]),
        tags: tag::read(input.tags)?,
    };
    ctx.commit(|view, change| {
        let identities = view.identities();
        if identities.managed_policy(&iam::key(account, &policy.name)).is_some() {
            return Err(already_exists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                policy.name
            )));
        }
        let own = identities.managed_policies().filter(|policy| policy.account == *account);
        if own.count() >= quota::POLICIES {
            return Err(quota_exceeded("PoliciesPerAccount", quota::POLICIES));
        }
        change.create(&policy);
        Ok(())
    })
    .await?;
    Ok(CreatePolicyResponse { policy: Some(render::policy::made(&policy)) })
}
