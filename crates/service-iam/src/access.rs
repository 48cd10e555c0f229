//! What calls are authorised on.

use base::AccountId;
use iam::Tags;
use policy::{Access, Caller};
use wire::Operation;

use crate::{IamContext, name};

/// The operation's own action on `resource`, with the tags of the resource.
pub(crate) fn on<Op: Operation>(resource: String, tags: &Tags) -> Access {
    let mut access = Access::of::<Op>(resource);
    for (key, value) in tags {
        access = access.with_key(&format!("iam:resourcetag/{key}"), value);
    }
    access.with_resource_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// With the tags that the request sets.
pub(crate) fn with_request_tags(access: Access, given: Option<&[api_iam::types::Tag]>) -> Access {
    let tags = given.unwrap_or_default().iter();
    access.with_request_tags(tags.map(|tag| {
        (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())
    }))
}

/// What making something with `own` needs: the action itself, and when there are tags, the action that
/// sets them.
pub(crate) fn to_create(
    own: Access,
    given: Option<&[api_iam::types::Tag]>,
    tag_action: &'static str,
) -> Vec<Access> {
    let own = with_request_tags(own, given);
    if given.unwrap_or_default().is_empty() {
        return vec![own];
    }
    let mut tagging = own.clone();
    tagging.action = tag_action.into();
    vec![own, tagging]
}

/// With the tag keys that the request takes away.
pub(crate) fn with_tag_keys(access: Access, given: Option<&[String]>) -> Access {
    let keys = given.unwrap_or_default().iter();
    keys.fold(access, |access, key| access.with_key("aws:tagkeys", key))
}

/// With a condition key, when it has a value.
pub(crate) fn with_some(access: Access, key: &str, value: Option<&str>) -> Access {
    match value {
        Some(value) => access.with_key(key, value),
        None => access,
    }
}

/// The operation's action on a user: as it is, or as it would be called.
pub(crate) fn on_user<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    user: Option<&str>,
) -> Access {
    let given = user.unwrap_or_default();
    let own = match ctx.state.view().identities().user(&iam::key(account, given)) {
        Some(user) => on::<Op>(user.arn(), &user.tags),
        None => Access::of::<Op>(iam::arn(account, "user", name::DEFAULT_PATH, given)),
    };
    own.with_shown(format!("user {given}"))
}

/// The operation's action on a user with `iam:PermissionsBoundary` of that user.
pub(crate) fn on_bounded_user<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    user: Option<&str>,
) -> Access {
    let access = on_user::<Op>(ctx, account, user);
    let view = ctx.state.view();
    let user = view.identities().user(&iam::key(account, user.unwrap_or_default()));
    let boundary = user.and_then(|user| user.permissions_boundary.as_deref());
    with_some(access, "iam:permissionsboundary", boundary)
}

/// The operation's action on the user that is given, or on who calls.
pub(crate) fn on_user_or_caller<Op: Operation>(
    ctx: &IamContext,
    caller: &Caller,
    user: Option<&str>,
) -> Access {
    match name::user_or_caller(caller, user) {
        Ok(user) => on_user::<Op>(ctx, &caller.principal.account, Some(user)),
        Err(_) => Access::of::<Op>(caller.principal.arn.clone()),
    }
}

/// The operation's action on a group.
pub(crate) fn on_group<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    group: Option<&str>,
) -> Access {
    let given = group.unwrap_or_default();
    let view = ctx.state.view();
    let found = view.identities().group(&iam::key(account, given));
    let arn = found
        .map_or_else(|| iam::arn(account, "group", name::DEFAULT_PATH, given), |group| group.arn());
    Access::of::<Op>(arn).with_shown(format!("group {given}"))
}

/// The operation's action on a second factor.
pub(crate) fn on_mfa_device<Op: Operation>(account: &AccountId, path: &str, name: &str) -> Access {
    Access::of::<Op>(iam::arn(account, "mfa", path, name))
}

/// The operation's action on all of a `kind` below a path: what lists are authorised on.
pub(crate) fn on_all<Op: Operation>(
    account: &AccountId,
    kind: &str,
    path_prefix: Option<&str>,
) -> Access {
    Access::of::<Op>(iam::arn(account, kind, path_prefix.unwrap_or(name::DEFAULT_PATH), ""))
}
