//! Users.

use api_iam::types;
use iam::User;

use crate::render::boundary;
use crate::{holder, tag};

/// A user as lists have it: without tags and boundary.
pub(crate) fn listed(user: &User) -> types::User {
    types::User {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(user.arn()),
        create_date: Some(user.created_at),
        ..types::User::default()
    }
}

/// A user with everything.
pub(crate) fn whole(user: &User) -> types::User {
    types::User {
        permissions_boundary: boundary(user.permissions_boundary.as_deref()),
        tags: tag::render_some(&user.tags),
        ..listed(user)
    }
}

/// A user as `GetAccountAuthorizationDetails` has it.
pub(crate) fn detail(user: &User) -> types::UserDetail {
    types::UserDetail {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(user.arn()),
        create_date: Some(user.created_at),
        user_policy_list: Some(holder::inline_details(user)),
        group_list: Some(user.groups.iter().cloned().collect()),
        attached_managed_policies: Some(holder::attached(user)),
        permissions_boundary: boundary(user.permissions_boundary.as_deref()),
        tags: Some(tag::render(&user.tags)),
    }
}
