//! `CreateOrganization`: the server's own account becomes the management account of a new one.

use api_organizations::errors::already_in_organization_exception;
use api_organizations::ops::CreateOrganization;
use api_organizations::types::OrganizationFeatureSet;
use api_organizations::types::{CreateOrganizationRequest, CreateOrganizationResponse};
use iam::{Account, AccountStatus, FULL_AWS_ACCESS, Organization, ServiceControlPolicy};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{invalid_input, not_management};
use crate::{OrganizationsContext, arn, render};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    _input: &CreateOrganizationRequest,
) -> Vec<Access> {
    arn::accesses::<CreateOrganization>(&ctx.state.view(), caller, &[None])
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<CreateOrganization>,
) -> Result<CreateOrganizationResponse, ApiError> {
    let (caller, input) = call.into_parts();
    if input.feature_set == Some(OrganizationFeatureSet::ConsolidatedBilling) {
        return Err(invalid_input(
            "There is nothing to bill: the only feature set is ALL, with which service control \
             policies work.",
        ));
    }
    if caller.principal.account != ctx.scope.account {
        return Err(not_management());
    }
    let organization = Organization {
        id: format!("o-{}", ctx.name(10)),
        root_id: format!("r-{}", ctx.name(4)),
        management_account: ctx.scope.account.clone(),
        management_email: format!("root@{}.invalid", ctx.scope.account),
        created_at: ctx.now(),
        service_control_policies: false,
    };
    let management = Account {
        id: ctx.scope.account.clone(),
        name: "management".to_owned(),
        email: organization.management_email.clone(),
        status: AccountStatus::Active,
        request_id: None,
        joined_at: organization.created_at,
        parent_id: organization.root_id.clone(),
        tags: iam::Tags::new(),
    };
    ctx.commit(|view, change| {
        if view.identities().organization().is_some() {
            return Err(already_in_organization_exception(
                "The AWS account is already a member of an organization.",
            ));
        }
        change.create(&organization);
        change.create(&management);
        change.create(&full_access());
        Ok(())
    })
    .await?;
    let organization = Some(render::organization(&organization));
    Ok(CreateOrganizationResponse { organization })
}

/// The policy that is there from the start, and that nobody changes.
fn full_access() -> ServiceControlPolicy {
    let content = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    ServiceControlPolicy {
        id: FULL_AWS_ACCESS.to_owned(),
        name: "FullAWSAccess".to_owned(),
        description: "Allows access to every operation".to_owned(),
        content: content.to_owned(),
        aws_managed: true,
        targets: std::collections::BTreeSet::new(),
        tags: iam::Tags::new(),
    }
}
