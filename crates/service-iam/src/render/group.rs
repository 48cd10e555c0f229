//! Groups.

use api_iam::types;
use iam::Group;

use crate::holder;

/// A group.
pub(crate) fn group(group: &Group) -> types::Group {
    types::Group {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn()),
        create_date: Some(group.created_at),
    }
}

/// A group as `GetAccountAuthorizationDetails` has it.
pub(crate) fn detail(group: &Group) -> types::GroupDetail {
    types::GroupDetail {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn()),
        create_date: Some(group.created_at),
        group_policy_list: Some(holder::inline_details(group)),
        attached_managed_policies: Some(holder::attached(group)),
    }
}
