//! What operations on instance profiles share.

use base::AccountId;
use iam::InstanceProfile;
use policy::Access;
use state::{Row, View};
use wire::{ApiError, Operation};

use crate::error::no_such_entity;
use crate::{IamContext, access, name};

/// The instance profile of this name.
pub(crate) fn find<'a>(
    view: &'a View,
    account: &AccountId,
    name: &str,
) -> Result<&'a Row<InstanceProfile>, ApiError> {
    view.identities()
        .instance_profile(&iam::key(account, name))
        .ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))
}

/// The instance profiles of an account that have this role.
pub(crate) fn with_role<'a>(
    view: &'a View,
    account: &'a AccountId,
    role: &'a str,
) -> impl Iterator<Item = &'a Row<InstanceProfile>> {
    view.identities().instance_profiles().filter(move |profile| {
        profile.account == *account
            && profile.role.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(role))
    })
}

/// The operation's action on an instance profile: as it is, or as it would be called.
pub(crate) fn on<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    given: Option<&str>,
) -> Access {
    let given = given.unwrap_or_default();
    let own = match ctx.state.view().identities().instance_profile(&iam::key(account, given)) {
        Some(profile) => access::on::<Op>(profile.arn(), &profile.tags),
        None => Access::of::<Op>(iam::arn(account, "instance-profile", name::DEFAULT_PATH, given)),
    };
    own.with_shown(format!("instance profile {given}"))
}
