//! Managed policies: those of the account, and those of AWS, which nobody changes.

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use iam::{ManagedPolicy, PolicyVersion, Tags};
use identity::aws_managed::{self, AwsManagedPolicy};
use policy::{Access, Caller, PolicyKind};
use state::{Row, View};
use wire::{ApiError, Operation};

use crate::error::{no_such_entity, quota_exceeded};
use crate::{IamContext, access, document, lookup, quota};

/// When every policy of AWS was made, here: 2015-02-06T18:39:46Z.
pub(crate) const AWS_MANAGED_SINCE: Timestamp = Timestamp::from_epoch_ms(1_423_247_986_000);

/// A managed policy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Managed<'a> {
    /// Of the account.
    Own(&'a Row<ManagedPolicy>),
    /// Of AWS.
    Aws(&'static AwsManagedPolicy),
}

impl Managed<'_> {
    /// Its ARN.
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Own(policy) => policy.arn(),
            Self::Aws(policy) => policy.arn.to_owned(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Own(policy) => &policy.name,
            Self::Aws(policy) => policy.name,
        }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Own(policy) => &policy.path,
            Self::Aws(policy) => policy.path,
        }
    }

    /// Its tags; AWS's have none.
    pub(crate) fn tags(&self) -> Tags {
        match self {
            Self::Own(policy) => policy.tags.clone(),
            Self::Aws(_) => Tags::new(),
        }
    }

    /// Its document in force.
    pub(crate) fn document(&self) -> &str {
        match self {
            Self::Own(policy) => {
                let version = policy.versions.get(&policy.default_version);
                version.map_or("", |version| &version.document)
            }
            Self::Aws(policy) => policy.document,
        }
    }
}

/// The managed policy of this ARN.
pub(crate) fn find<'a>(
    view: &'a View,
    account: &AccountId,
    arn: &str,
) -> Result<Managed<'a>, ApiError> {
    match aws_managed::find(arn) {
        Some(policy) => Ok(Managed::Aws(policy)),
        None => lookup::existing_policy(view, account, arn).map(Managed::Own),
    }
}

/// The managed policy of this ARN, to be changed.
///
/// # Errors
/// `AccessDenied` for one of AWS's, as IAM has it.
pub(crate) fn changeable<'a, Op: Operation>(
    view: &'a View,
    caller: &Caller,
    arn: &str,
) -> Result<&'a Row<ManagedPolicy>, ApiError> {
    if aws_managed::find(arn).is_some() {
        let message = format!(
            "User: {} is not authorized to perform: iam:{} on resource: policy {arn}",
            caller.principal.arn,
            Op::NAME
        );
        return Err(ApiError::sender("AccessDenied", message).with_status(403));
    }
    lookup::existing_policy(view, &caller.principal.account, arn)
}

/// The operation's action on a managed policy, with its tags.
pub(crate) fn on<Op: Operation>(
    ctx: &IamContext,
    account: &AccountId,
    arn: Option<&str>,
) -> Access {
    let arn = arn.unwrap_or_default();
    let own = match lookup::policy(&ctx.state.view(), account, arn) {
        Some(policy) => access::on::<Op>(policy.arn(), &policy.tags),
        None => Access::of::<Op>(arn),
    };
    own.with_shown(format!("policy {arn}"))
}

/// How often a managed policy is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Users, groups and roles that it is attached to.
    pub(crate) attachments: usize,
    /// Users and roles that it bounds.
    pub(crate) boundaries: usize,
}

/// How often each managed policy is used in an account, by ARN; those that are not used are left out.
pub(crate) fn uses(view: &View, account: &AccountId) -> BTreeMap<String, Uses> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    let identities = view.identities();
    let users = identities.users().filter(|user| user.account == *account);
    let roles = identities.roles().filter(|role| role.account == *account);
    let groups = identities.groups().filter(|group| group.account == *account);
    let bounded = users
        .map(|user| (&user.attached_policies, user.permissions_boundary.as_ref()))
        .chain(roles.map(|role| (&role.attached_policies, role.permissions_boundary.as_ref())));
    let holders = bounded.chain(groups.map(|group| (&group.attached_policies, None)));
    for (attached, boundary) in holders {
        for arn in attached {
            let uses = all.entry(arn.clone()).or_default();
            uses.attachments = uses.attachments.saturating_add(1);
        }
        if let Some(arn) = boundary {
            let uses = all.entry(arn.clone()).or_default();
            uses.boundaries = uses.boundaries.saturating_add(1);
        }
    }
    all
}

/// A version of a managed policy, checked.
///
/// # Errors
/// `MalformedPolicyDocument` with every problem and its place; `LimitExceeded` beyond 6,144
/// characters.
pub(crate) fn version(document: String, now: Timestamp) -> Result<PolicyVersion, ApiError> {
    let size = document::parse(&document, PolicyKind::Identity)?.size();
    if size > quota::POLICY_SIZE {
        return Err(quota_exceeded("PolicySize", quota::POLICY_SIZE));
    }
    Ok(PolicyVersion { document, created_at: now })
}

/// The number in `v1`; `None` for any other text.
pub(crate) fn version_number(version_id: &str) -> Option<u32> {
    let number = version_id.strip_prefix('v')?.split('.').next()?;
    number.parse().ok()
}

/// There is no such version of the policy.
pub(crate) fn no_such_version(arn: &str, version_id: &str) -> ApiError {
    no_such_entity(format!(
        "Policy {arn} version {version_id} does not exist or is not attachable."
    ))
}
