//! ARNs of what an organisation is made of.

use base::AccountId;
use iam::{FULL_AWS_ACCESS, Organization};
use policy::{Access, Caller};
use state::View;
use wire::Operation;

/// The organisation itself.
pub(crate) fn organization(organization: &Organization) -> String {
    whole(&organization.management_account, format_args!("organization/{}", organization.id))
}

/// What `id` is the id of: the root, a unit, an account, a policy or a request for an account. An id of
/// none of these forms gives the organisation's own.
pub(crate) fn of(organization: &Organization, id: &str) -> String {
    if id == FULL_AWS_ACCESS {
        return "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
            .to_owned();
    }
    let kind = match id.split_once('-') {
        Some(("r", _)) => "root",
        Some(("ou", _)) => "ou",
        Some(("p", _)) => {
            let rest = format_args!("policy/{}/service_control_policy/{id}", organization.id);
            return whole(&organization.management_account, rest);
        }
        None if id.parse::<AccountId>().is_ok() => "account",
        Some(_) | None => return self::organization(organization),
    };
    whole(&organization.management_account, format_args!("{kind}/{}/{id}", organization.id))
}

fn whole(account: &AccountId, rest: std::fmt::Arguments<'_>) -> String {
    format!("arn:aws:organizations::{account}:{rest}")
}

/// What a call of `Op` wants to do on what these ids name; `*` where there is no organisation.
pub(crate) fn accesses<Op: Operation>(
    view: &View,
    _caller: &Caller,
    ids: &[Option<&String>],
) -> Vec<Access> {
    match view.identities().organization() {
        None => vec![Access::of::<Op>("*")],
        Some(organization) => ids
            .iter()
            .map(|id| Access::of::<Op>(of(organization, id.map_or("", String::as_str))))
            .collect(),
    }
}
