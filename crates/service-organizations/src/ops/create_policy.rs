//! `CreatePolicy`: a service control policy.

use api_organizations::errors::duplicate_policy_exception;
use api_organizations::ops::CreatePolicy;
use api_organizations::types::{CreatePolicyRequest, CreatePolicyResponse};
use iam::ServiceControlPolicy;
use policy::{Access, Authorized, Caller};
use std::sync::Arc;
use wire::ApiError;

use crate::error::constraint;
use crate::policy_type;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, document, limit, render, tag};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &CreatePolicyRequest,
) -> Vec<Access> {
    {
        let kind = input.r#type.as_ref().map_or("", |kind| kind.as_str());
        let accesses =
            arn::accesses::<CreatePolicy>(&ctx.state.view(), caller, &[None]).into_iter();
        accesses.map(|access| access.with_key("organizations:policytype", kind)).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<CreatePolicy>,
) -> Result<CreatePolicyResponse, ApiError> {
    let (caller, input) = call.into_parts();
    policy_type::check(input.r#type.as_ref())?;
    let content = input.content.unwrap_or_default();
    document::check(&content)?;
    let tags = tag::read(input.tags)?;
    let new = ServiceControlPolicy {
        id: format!("p-{}", ctx.name(8)),
        name: input.name.unwrap_or_default(),
        description: input.description.unwrap_or_default(),
        content,
        aws_managed: false,
        targets: std::collections::BTreeSet::new(),
        tags,
    };
    let organization = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, &caller)?;
            if tree.policies().any(|policy| policy.name == new.name) {
                return Err(duplicate_policy_exception(
                    "A policy with the same name already exists.",
                ));
            }
            if tree.policies().count() >= limit::POLICIES {
                return Err(constraint(format!(
                    "POLICY_NUMBER_LIMIT_EXCEEDED: an organization has at most {} policies.",
                    limit::POLICIES
                )));
            }
            change.create(&new);
            Ok(Arc::clone(&tree.organization.value))
        })
        .await?;
    Ok(CreatePolicyResponse { policy: Some(render::policy(&organization, &new)) })
}
