//! Managed policies.

use api_iam::types;
use iam::{ManagedPolicy, PolicyVersion};

use crate::managed::{AWS_MANAGED_SINCE, Managed, Uses};
use crate::{document, tag};

/// A managed policy as lists have it: without description and tags.
pub(crate) fn listed(policy: Managed<'_>, uses: Uses) -> types::Policy {
    let common = types::Policy {
        policy_name: Some(policy.name().to_owned()),
        arn: Some(policy.arn()),
        path: Some(policy.path().to_owned()),
        attachment_count: i32::try_from(uses.attachments).ok(),
        permissions_boundary_usage_count: i32::try_from(uses.boundaries).ok(),
        is_attachable: Some(true),
        ..types::Policy::default()
    };
    match policy {
        Managed::Own(policy) => types::Policy {
            policy_id: Some(policy.id.clone()),
            default_version_id: Some(version_id(policy.default_version)),
            create_date: Some(policy.created_at),
            update_date: Some(policy.updated_at),
            ..common
        },
        Managed::Aws(policy) => types::Policy {
            policy_id: Some(policy.id.to_owned()),
            default_version_id: Some(policy.version_id.to_owned()),
            create_date: Some(AWS_MANAGED_SINCE),
            update_date: Some(AWS_MANAGED_SINCE),
            ..common
        },
    }
}

/// A managed policy with everything.
pub(crate) fn whole(policy: Managed<'_>, uses: Uses) -> types::Policy {
    let description = match policy {
        Managed::Own(policy) => policy.description.clone(),
        Managed::Aws(policy) => Some(policy.description.to_owned()),
    };
    types::Policy { description, tags: Some(tag::render(&policy.tags())), ..listed(policy, uses) }
}

/// A policy that was made just now.
pub(crate) fn made(policy: &ManagedPolicy) -> types::Policy {
    types::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn()),
        path: Some(policy.path.clone()),
        default_version_id: Some(version_id(policy.default_version)),
        attachment_count: Some(0),
        permissions_boundary_usage_count: Some(0),
        is_attachable: Some(true),
        create_date: Some(policy.created_at),
        update_date: Some(policy.updated_at),
        tags: tag::render_some(&policy.tags),
        ..types::Policy::default()
    }
}

/// A version as lists have it: without the document.
pub(crate) fn listed_version(
    policy: &ManagedPolicy,
    number: u32,
    version: &PolicyVersion,
) -> types::PolicyVersion {
    types::PolicyVersion {
        version_id: Some(version_id(number)),
        is_default_version: Some(number == policy.default_version),
        create_date: Some(version.created_at),
        document: None,
    }
}

/// The one version of AWS's policies that there is, without the document.
pub(crate) fn listed_aws_version(version_id: &str) -> types::PolicyVersion {
    types::PolicyVersion {
        version_id: Some(version_id.to_owned()),
        is_default_version: Some(true),
        create_date: Some(AWS_MANAGED_SINCE),
        document: None,
    }
}

/// A version with its document.
pub(crate) fn with_document(version: types::PolicyVersion, text: &str) -> types::PolicyVersion {
    types::PolicyVersion { document: Some(document::render(text)), ..version }
}

/// `v1`.
pub(crate) fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// A managed policy as `GetAccountAuthorizationDetails` has it: with the documents of all versions.
pub(crate) fn detail(policy: Managed<'_>, uses: Uses) -> types::ManagedPolicyDetail {
    let whole = whole(policy, uses);
    let versions = match policy {
        Managed::Own(policy) => {
            let versions = policy.versions.iter().rev();
            versions
                .map(|(number, version)| {
                    with_document(listed_version(policy, *number, version), &version.document)
                })
                .collect()
        }
        Managed::Aws(policy) => {
            vec![with_document(listed_aws_version(policy.version_id), policy.document)]
        }
    };
    types::ManagedPolicyDetail {
        policy_name: whole.policy_name,
        policy_id: whole.policy_id,
        arn: whole.arn,
        path: whole.path,
        default_version_id: whole.default_version_id,
        attachment_count: whole.attachment_count,
        permissions_boundary_usage_count: whole.permissions_boundary_usage_count,
        is_attachable: whole.is_attachable,
        description: whole.description,
        create_date: whole.create_date,
        update_date: whole.update_date,
        policy_version_list: Some(versions),
    }
}
