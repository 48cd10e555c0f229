//! Records by the names and ARNs that callers give, or the error that there are none.

use base::AccountId;
use iam::{AccessKey, Group, ManagedPolicy, MfaDevice, Role, User};
use state::{Change, Row, View};
use wire::ApiError;

use crate::context::touch;
use crate::error::{no_such_entity, not_found};
use crate::name::parse_arn;

/// The user of this name.
pub(crate) fn user<'a>(
    view: &'a View,
    account: &AccountId,
    name: &str,
) -> Result<&'a Row<User>, ApiError> {
    view.identities().user(&iam::key(account, name)).ok_or_else(|| not_found("user", name))
}

/// The group of this name.
pub(crate) fn group<'a>(
    view: &'a View,
    account: &AccountId,
    name: &str,
) -> Result<&'a Row<Group>, ApiError> {
    view.identities().group(&iam::key(account, name)).ok_or_else(|| not_found("group", name))
}

/// The role of this name.
pub(crate) fn role<'a>(
    view: &'a View,
    account: &AccountId,
    name: &str,
) -> Result<&'a Row<Role>, ApiError> {
    view.identities().role(&iam::key(account, name)).ok_or_else(|| not_found("role", name))
}

/// The managed policy of this ARN, when it is there and of the account.
pub(crate) fn policy<'a>(
    view: &'a View,
    account: &AccountId,
    arn: &str,
) -> Option<&'a Row<ManagedPolicy>> {
    let parsed = parse_arn(arn, "policy").filter(|parsed| parsed.is_of(account))?;
    let row = view.identities().managed_policy(&iam::key(account, parsed.name))?;
    (row.arn() == arn).then_some(row)
}

/// The managed policy of this ARN, to be read or changed.
pub(crate) fn existing_policy<'a>(
    view: &'a View,
    account: &AccountId,
    arn: &str,
) -> Result<&'a Row<ManagedPolicy>, ApiError> {
    policy(view, account, arn).ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
}

/// Prepares to attach the managed policy of this ARN, one of the account or of AWS, within `change`.
pub(crate) fn attach_policy(
    view: &View,
    change: &mut Change,
    account: &AccountId,
    arn: &str,
) -> Result<(), ApiError> {
    use_policy(view, change, account, arn)
        .ok_or_else(|| no_such_entity(format!("Policy {arn} does not exist or is not attachable.")))
}

/// Prepares to bound a user or role by the managed policy of this ARN within `change`.
pub(crate) fn bound_by(
    view: &View,
    change: &mut Change,
    account: &AccountId,
    arn: &str,
) -> Result<(), ApiError> {
    use_policy(view, change, account, arn).ok_or_else(|| {
        no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable."))
    })
}

/// Touches the policy, so that it cannot be deleted at the same time; those of AWS never are.
fn use_policy(view: &View, change: &mut Change, account: &AccountId, arn: &str) -> Option<()> {
    if identity::aws_managed::find(arn).is_some() {
        return Some(());
    }
    touch(change, policy(view, account, arn)?);
    Some(())
}

/// The access key of this id, when it is one of the user.
pub(crate) fn access_key<'a>(
    view: &'a View,
    user: &User,
    id: &str,
) -> Result<&'a Row<AccessKey>, ApiError> {
    view.identities()
        .access_key(id)
        .filter(|key| key.account == user.account && key.user == user.name)
        .ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))
}

/// The second factor of this serial number.
pub(crate) fn mfa_device<'a>(
    view: &'a View,
    account: &AccountId,
    serial_number: &str,
) -> Result<&'a Row<MfaDevice>, ApiError> {
    parse_arn(serial_number, "mfa")
        .filter(|parsed| parsed.is_of(account))
        .and_then(|parsed| view.identities().mfa_device(&iam::key(account, parsed.name)))
        .filter(|device| device.serial_number() == serial_number)
        .ok_or_else(|| {
            no_such_entity(format!(
                "VirtualMFADevice with serial number {serial_number} doesn't exist."
            ))
        })
}

/// The second factors that are enabled for a user.
pub(crate) fn mfa_devices_of<'a>(
    view: &'a View,
    user: &'a User,
) -> impl Iterator<Item = &'a Row<MfaDevice>> {
    view.identities().mfa_devices().filter(|device| {
        device.account == user.account && device.user.as_deref() == Some(user.name.as_str())
    })
}

/// The users of a group.
pub(crate) fn members_of<'a>(
    view: &'a View,
    group: &'a Group,
) -> impl Iterator<Item = &'a Row<User>> {
    view.identities()
        .users()
        .filter(|user| user.account == group.account && user.groups.contains(&group.name))
}
