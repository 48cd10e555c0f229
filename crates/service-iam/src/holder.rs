//! What users, groups and roles have in common: inline policies and attached ones.

use std::collections::{BTreeMap, BTreeSet};

use api_iam::types::AttachedPolicy;
use base::AccountId;
use iam::{Group, Role, User};
use policy::PolicyKind;
use state::{Change, Record, Row, View};
use wire::ApiError;

use crate::error::{limit_exceeded, no_such_entity, not_found, quota_exceeded};
use crate::page::{Page, page};
use crate::{document, lookup, name, quota};

/// Something that has policies.
pub(crate) trait Holder: Record {
    /// What it is called in messages: `user`.
    const KIND: &'static str;
    /// What the quota of attached policies is called.
    const ATTACHED_QUOTA: &'static str;
    /// How many characters its inline policies may have together.
    const INLINE_SIZE: usize;

    /// Its name.
    fn name(&self) -> &str;
    /// Its account.
    fn account(&self) -> &AccountId;
    /// Inline policies, by name.
    fn inline(&self) -> &BTreeMap<String, String>;
    /// Inline policies, to be changed.
    fn inline_mut(&mut self) -> &mut BTreeMap<String, String>;
    /// ARNs of managed policies.
    fn attached(&self) -> &BTreeSet<String>;
    /// ARNs of managed policies, to be changed.
    fn attached_mut(&mut self) -> &mut BTreeSet<String>;
}

macro_rules! holders {
    ($($record:ty, $kind:literal, $quota:literal, $size:expr;)*) => {$(
        impl Holder for $record {
            const KIND: &'static str = $kind;
            const ATTACHED_QUOTA: &'static str = $quota;
            const INLINE_SIZE: usize = $size;

            fn name(&self) -> &str {
                &self.name
            }

            fn account(&self) -> &AccountId {
                &self.account
            }

            fn inline(&self) -> &BTreeMap<String, String> {
                &self.inline_policies
            }

            fn inline_mut(&mut self) -> &mut BTreeMap<String, String> {
                &mut self.inline_policies
            }

            fn attached(&self) -> &BTreeSet<String> {
                &self.attached_policies
            }

            fn attached_mut(&mut self) -> &mut BTreeSet<String> {
                &mut self.attached_policies
            }
        }
    )*};
}

holders! {
    User, "user", "PoliciesPerUser", quota::USER_POLICY_SIZE;
    Group, "group", "PoliciesPerGroup", quota::GROUP_POLICY_SIZE;
    Role, "role", "PoliciesPerRole", quota::ROLE_POLICY_SIZE;
}

/// Sets an inline policy. Its name is unique with regard to case, as a part of its holder.
pub(crate) fn put_inline<T: Holder>(
    change: &mut Change,
    row: &Row<T>,
    policy: &str,
    text: &str,
) -> Result<(), ApiError> {
    let size = document::parse(text, PolicyKind::Identity)?.size();
    let others = row.inline().iter().filter(|(name, _)| *name != policy);
    let total = others.fold(size, |total, (_, text)| total.saturating_add(document::size(text)));
    if total > T::INLINE_SIZE {
        return Err(limit_exceeded(format!(
            "Maximum policy size of {} bytes exceeded for {} {}",
            T::INLINE_SIZE,
            T::KIND,
            row.name()
        )));
    }
    let mut holder = row.value.as_ref().clone();
    holder.inline_mut().insert(policy.to_owned(), text.to_owned());
    change.update(row, &holder);
    Ok(())
}

/// An inline policy, as it is answered.
pub(crate) fn inline<T: Holder>(holder: &T, policy: &str) -> Result<String, ApiError> {
    let text = holder.inline().get(policy);
    text.map(|text| document::render(text))
        .ok_or_else(|| not_found(&format!("{} policy", T::KIND), policy))
}

/// Takes an inline policy away.
pub(crate) fn delete_inline<T: Holder>(
    change: &mut Change,
    row: &Row<T>,
    policy: &str,
) -> Result<(), ApiError> {
    let mut holder = row.value.as_ref().clone();
    if holder.inline_mut().remove(policy).is_none() {
        return Err(not_found(&format!("{} policy", T::KIND), policy));
    }
    change.update(row, &holder);
    Ok(())
}

/// A page of the names of inline policies.
pub(crate) fn inline_names<T: Holder>(
    holder: &T,
    max_items: Option<i32>,
    marker: Option<&str>,
) -> Result<Page<String>, ApiError> {
    page(holder.inline().keys().cloned(), String::clone, max_items, marker)
}

/// Attaches a managed policy; one that is attached already stays so.
pub(crate) fn attach<T: Holder>(
    view: &View,
    change: &mut Change,
    row: &Row<T>,
    arn: &str,
) -> Result<(), ApiError> {
    lookup::attach_policy(view, change, row.account(), arn)?;
    let mut holder = row.value.as_ref().clone();
    if !holder.attached_mut().insert(arn.to_owned()) {
        return Ok(());
    }
    if holder.attached().len() > quota::ATTACHED_POLICIES {
        return Err(quota_exceeded(T::ATTACHED_QUOTA, quota::ATTACHED_POLICIES));
    }
    change.update(row, &holder);
    Ok(())
}

/// Detaches a managed policy.
pub(crate) fn detach<T: Holder>(
    change: &mut Change,
    row: &Row<T>,
    arn: &str,
) -> Result<(), ApiError> {
    let mut holder = row.value.as_ref().clone();
    if !holder.attached_mut().remove(arn) {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    }
    change.update(row, &holder);
    Ok(())
}

/// A page of attached policies below a path.
pub(crate) fn attached_below<T: Holder>(
    holder: &T,
    path_prefix: Option<&str>,
    max_items: Option<i32>,
    marker: Option<&str>,
) -> Result<Page<AttachedPolicy>, ApiError> {
    let arns = holder.attached().iter().filter(|arn| {
        name::parse_arn(arn, "policy").is_some_and(|arn| name::has_prefix(arn.path, path_prefix))
    });
    Ok(page(arns, |arn| (*arn).clone(), max_items, marker)?.map(|arn| attached_policy(arn)))
}

/// Every attached policy, as it is answered.
pub(crate) fn attached<T: Holder>(holder: &T) -> Vec<AttachedPolicy> {
    holder.attached().iter().map(|arn| attached_policy(arn)).collect()
}

/// Every inline policy, as `GetAccountAuthorizationDetails` answers it.
pub(crate) fn inline_details<T: Holder>(holder: &T) -> Vec<api_iam::types::PolicyDetail> {
    let inline = holder.inline().iter();
    inline
        .map(|(name, text)| api_iam::types::PolicyDetail {
            policy_name: Some(name.clone()),
            policy_document: Some(document::render(text)),
        })
        .collect()
}

fn attached_policy(arn: &str) -> AttachedPolicy {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    AttachedPolicy { policy_arn: Some(arn.to_owned()), policy_name: Some(name.to_owned()) }
}
