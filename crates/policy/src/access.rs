//! What a call wants to do: the questions that policies answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use wire::Operation;

use crate::Policy;

/// Values of condition keys, by the key's name in lower case.
pub type Keys = BTreeMap<String, Vec<String>>;

/// One action on one resource. A call is allowed when all its accesses are.
#[derive(Debug, Clone)]
pub struct Access {
    /// The action: `ecs:RunTask`, `iam:PassRole`.
    pub action: Cow<'static, str>,
    /// The ARN, or `*` for an action that has no resource.
    pub resource: String,
    /// The condition keys that this access has beyond those of the caller: `ecs:cluster`,
    /// `aws:ResourceTag/team`, `aws:RequestTag/team`, `aws:TagKeys`, `iam:PassedToService`.
    pub keys: Keys,
    /// The resource's own policy.
    pub resource_policy: Option<ResourcePolicy>,
    shown: Option<String>,
}

/// The policy of a resource: a role's trust policy.
#[derive(Debug, Clone)]
pub struct ResourcePolicy {
    /// What it says.
    pub policy: Arc<Policy>,
    /// Whether the resource must allow explicitly, as role trust policies and KMS key policies must.
    pub required: bool,
}

impl Access {
    /// The action named like the operation `Op`, on `resource`.
    pub fn of<Op: Operation>(resource: impl Into<String>) -> Self {
        Self::new(format!("{}:{}", Op::API.signing_name, Op::NAME), resource)
    }

    /// The action named like the operation `Op`, on each of `resources`.
    pub fn each<Op: Operation>(resources: impl IntoIterator<Item = String>) -> Vec<Self> {
        resources.into_iter().map(Self::of::<Op>).collect()
    }

    /// `action` on `resource`.
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            keys: Keys::new(),
            resource_policy: None,
            shown: None,
        }
    }

    /// The resource as a denial names it: as the caller did, which tells nothing of what there is.
    pub fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.resource)
    }

    /// With another name for the resource in denials, for one that was found in the state: whoever
    /// is denied must not learn what is there.
    #[must_use]
    pub fn with_shown(mut self, resource: impl Into<String>) -> Self {
        self.shown = Some(resource.into());
        self
    }

    /// With one more value of a condition key.
    #[must_use]
    pub fn with_key(mut self, name: &str, value: impl Into<String>) -> Self {
        self.keys.entry(name.to_ascii_lowercase()).or_default().push(value.into());
        self
    }

    /// With `aws:ResourceTag/…` for each tag of the resource.
    #[must_use]
    pub fn with_resource_tags<'a>(
        mut self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        for (key, value) in tags {
            self = self.with_key(&format!("aws:resourcetag/{key}"), value);
        }
        self
    }

    /// With `aws:RequestTag/…` and `aws:TagKeys` for each tag that the request sets.
    #[must_use]
    pub fn with_request_tags<'a>(
        mut self,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        for (key, value) in tags {
            self = self.with_key(&format!("aws:requesttag/{key}"), value);
            self = self.with_key("aws:tagkeys", key);
        }
        self
    }

    /// With the resource's own policy.
    #[must_use]
    pub fn with_resource_policy(mut self, policy: Arc<Policy>, required: bool) -> Self {
        self.resource_policy = Some(ResourcePolicy { policy, required });
        self
    }
}
