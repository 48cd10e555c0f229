//! Instance profiles.

use api_iam::types;
use iam::InstanceProfile;
use state::View;

use crate::render::role;
use crate::tag;

/// An instance profile as lists have it: without tags.
pub(crate) fn listed(view: &View, profile: &InstanceProfile) -> types::InstanceProfile {
    let named = profile.role.as_deref().map(|role| iam::key(&profile.account, role));
    let found = named.and_then(|key| view.identities().role(&key));
    types::InstanceProfile {
        path: Some(profile.path.clone()),
        instance_profile_name: Some(profile.name.clone()),
        instance_profile_id: Some(profile.id.clone()),
        arn: Some(profile.arn()),
        create_date: Some(profile.created_at),
        roles: Some(found.into_iter().map(|found| role::listed(found)).collect()),
        tags: None,
    }
}

/// An instance profile with everything.
pub(crate) fn whole(view: &View, profile: &InstanceProfile) -> types::InstanceProfile {
    types::InstanceProfile { tags: tag::render_some(&profile.tags), ..listed(view, profile) }
}
