//! `EnablePolicyType`: service control policies are in force; everything has FullAWSAccess at first.

use api_organizations::errors::policy_type_already_enabled_exception;
use api_organizations::ops::EnablePolicyType;
use api_organizations::types::{EnablePolicyTypeRequest, EnablePolicyTypeResponse};
use iam::FULL_AWS_ACCESS;
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::policy_type;
use crate::policy_type::root_not_found;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &EnablePolicyTypeRequest,
) -> Vec<Access> {
    {
        let kind = input.policy_type.as_ref().map_or("", |kind| kind.as_str());
        let accesses =
            arn::accesses::<EnablePolicyType>(&ctx.state.view(), caller, &[input.root_id.as_ref()])
                .into_iter();
        accesses.map(|access| access.with_key("organizations:policytype", kind)).collect()
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<EnablePolicyType>,
) -> Result<EnablePolicyTypeResponse, ApiError> {
    let input = call.input();
    policy_type::check(input.policy_type.as_ref())?;
    let organization = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, call.caller())?;
            if input.root_id.as_ref() != Some(&tree.organization.root_id) {
                return Err(root_not_found());
            }
            if tree.organization.service_control_policies {
                return Err(policy_type_already_enabled_exception(
                    "The specified policy type is already enabled.",
                ));
            }
            let full = tree.policy(Some(&FULL_AWS_ACCESS.to_owned()))?;
            let mut everywhere = full.value.as_ref().clone();
            everywhere.targets.insert(tree.organization.root_id.clone());
            everywhere.targets.extend(tree.units().map(|unit| unit.id.clone()));
            everywhere.targets.extend(tree.accounts().map(|account| account.id.to_string()));
            change.update(full, &everywhere);
            let mut organization = tree.organization.value.as_ref().clone();
            organization.service_control_policies = true;
            change.update(tree.organization, &organization);
            Ok(organization)
        })
        .await?;
    Ok(EnablePolicyTypeResponse { root: Some(render::root(&organization)) })
}
