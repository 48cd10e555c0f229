//! From records to wire types.

use api_organizations::types::{self, PolicyType};
use iam::{Account, AccountStatus, Organization, OrganizationalUnit, ServiceControlPolicy};

use crate::arn;

/// The organisation.
pub(crate) fn organization(organization: &Organization) -> types::Organization {
    let management = organization.management_account.as_str();
    types::Organization {
        arn: Some(arn::organization(organization)),
        available_policy_types: Some(vec![types::PolicyTypeSummary {
            status: Some(types::PolicyTypeStatus::Enabled),
            r#type: Some(PolicyType::ServiceControlPolicy),
        }]),
        feature_set: Some(types::OrganizationFeatureSet::All),
        id: Some(organization.id.clone()),
        master_account_arn: Some(arn::of(organization, management)),
        master_account_email: Some(organization.management_email.clone()),
        master_account_id: Some(management.to_owned()),
    }
}

/// The root.
pub(crate) fn root(organization: &Organization) -> types::Root {
    let enabled = organization.service_control_policies.then_some(types::PolicyTypeSummary {
        status: Some(types::PolicyTypeStatus::Enabled),
        r#type: Some(PolicyType::ServiceControlPolicy),
    });
    types::Root {
        arn: Some(arn::of(organization, &organization.root_id)),
        id: Some(organization.root_id.clone()),
        name: Some("Root".to_owned()),
        policy_types: Some(enabled.into_iter().collect()),
    }
}

/// An account.
pub(crate) fn account(organization: &Organization, account: &Account) -> types::Account {
    let (status, state) = match account.status {
        AccountStatus::Active => (types::AccountStatus::Active, types::AccountState::Active),
        AccountStatus::Suspended => {
            (types::AccountStatus::Suspended, types::AccountState::Suspended)
        }
    };
    let method = match account.request_id {
        Some(_) => types::AccountJoinedMethod::Created,
        None => types::AccountJoinedMethod::Invited,
    };
    types::Account {
        arn: Some(arn::of(organization, account.id.as_str())),
        email: Some(account.email.clone()),
        id: Some(account.id.to_string()),
        joined_method: Some(method),
        joined_timestamp: Some(account.joined_at),
        name: Some(account.name.clone()),
        paths: None,
        state: Some(state),
        status: Some(status),
    }
}

/// How the request for an account ended.
pub(crate) fn create_account_status(account: &Account) -> types::CreateAccountStatus {
    types::CreateAccountStatus {
        account_id: Some(account.id.to_string()),
        account_name: Some(account.name.clone()),
        completed_timestamp: Some(account.joined_at),
        failure_reason: None,
        gov_cloud_account_id: None,
        id: account.request_id.clone(),
        requested_timestamp: Some(account.joined_at),
        state: Some(types::CreateAccountState::Succeeded),
    }
}

/// A unit.
pub(crate) fn unit(
    organization: &Organization,
    unit: &OrganizationalUnit,
) -> types::OrganizationalUnit {
    types::OrganizationalUnit {
        arn: Some(arn::of(organization, &unit.id)),
        id: Some(unit.id.clone()),
        name: Some(unit.name.clone()),
        path: None,
    }
}

/// A policy without its text.
pub(crate) fn summary(
    organization: &Organization,
    policy: &ServiceControlPolicy,
) -> types::PolicySummary {
    types::PolicySummary {
        arn: Some(arn::of(organization, &policy.id)),
        aws_managed: Some(policy.aws_managed),
        description: Some(policy.description.clone()),
        id: Some(policy.id.clone()),
        name: Some(policy.name.clone()),
        r#type: Some(PolicyType::ServiceControlPolicy),
    }
}

/// A policy with its text.
pub(crate) fn policy(organization: &Organization, policy: &ServiceControlPolicy) -> types::Policy {
    types::Policy {
        content: Some(policy.content.clone()),
        policy_summary: Some(summary(organization, policy)),
    }
}
