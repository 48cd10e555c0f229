//! From records to wire types.

use api_iam::types::{AttachedPermissionsBoundary, PermissionsBoundaryAttachmentType};

pub(crate) mod group;
pub(crate) mod instance_profile;
pub(crate) mod policy;
pub(crate) mod role;
pub(crate) mod user;

/// A permissions boundary as it is answered.
pub(crate) fn boundary(arn: Option<&str>) -> Option<AttachedPermissionsBoundary> {
    arn.map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_arn: Some(arn.to_owned()),
        permissions_boundary_type: Some(
            PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy,
        ),
    })
}
