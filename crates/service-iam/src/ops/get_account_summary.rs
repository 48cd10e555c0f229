//! `GetAccountSummary`: how much of everything the account has, and may have.

use api_iam::ops::GetAccountSummary;
use api_iam::types::{GetAccountSummaryResponse, summaryKeyType};
use base::AccountId;
use policy::{Access, Authorized, Caller};
use state::Identities;
use wire::{ApiError, NoOutput};

use crate::{IamContext, quota};

pub(crate) fn accesses(_ctx: &IamContext, _caller: &Caller, _input: &NoOutput) -> Vec<Access> {
    vec![Access::of::<GetAccountSummary>("*")]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<GetAccountSummary>,
) -> Result<GetAccountSummaryResponse, ApiError> {
    let account = &call.caller().principal.account;
    let view = ctx.state.view();
    let mut summary = counts(view.identities(), account);
    let root_keys = usize::from(ctx.root_key_of(account).is_some());
    summary.push((summaryKeyType::AccountAccessKeysPresent.as_str(), root_keys));
    summary.extend(QUOTAS.iter().map(|(name, quota)| (*name, *quota)));
    let summary = summary
        .into_iter()
        .map(|(name, number)| (name.to_owned(), i32::try_from(number).unwrap_or(i32::MAX)));
    Ok(GetAccountSummaryResponse { summary_map: Some(summary.collect()) })
}

/// What there may be at most, and what there never is: passwords, certificates and a second factor of
/// the root.
const QUOTAS: &[(&str, usize)] = &[
    ("AccessKeysPerUserQuota", quota::ACCESS_KEYS_PER_USER),
    ("AccountMFAEnabled", 0),
    ("AccountPasswordPresent", 0),
    ("AccountSigningCertificatesPresent", 0),
    ("AssumeRolePolicySizeQuota", quota::TRUST_POLICY_SIZE),
    ("AttachedPoliciesPerGroupQuota", quota::ATTACHED_POLICIES),
    ("AttachedPoliciesPerRoleQuota", quota::ATTACHED_POLICIES),
    ("AttachedPoliciesPerUserQuota", quota::ATTACHED_POLICIES),
    ("GlobalEndpointTokenVersion", 2),
    ("GroupPolicySizeQuota", quota::GROUP_POLICY_SIZE),
    ("GroupsPerUserQuota", quota::GROUPS_PER_USER),
    ("GroupsQuota", quota::GROUPS),
    ("InstanceProfilesQuota", quota::INSTANCE_PROFILES),
    ("PoliciesQuota", quota::POLICIES),
    ("PolicySizeQuota", quota::POLICY_SIZE),
    ("PolicyVersionsInUseQuota", quota::POLICY_VERSIONS_IN_USE),
    ("RolePolicySizeQuota", quota::ROLE_POLICY_SIZE),
    ("RolesQuota", quota::ROLES),
    ("ServerCertificates", 0),
    ("ServerCertificatesQuota", 0),
    ("SigningCertificatesPerUserQuota", 0),
    ("UserPolicySizeQuota", quota::USER_POLICY_SIZE),
    ("UsersQuota", quota::USERS),
    ("VersionsPerPolicyQuota", quota::VERSIONS_PER_POLICY),
];

/// How much there is.
fn counts(identities: &Identities, account: &AccountId) -> Vec<(&'static str, usize)> {
    let users = identities.users().filter(|user| user.account == *account);
    let groups = identities.groups().filter(|group| group.account == *account);
    let roles = identities.roles().filter(|role| role.account == *account);
    let policies = || identities.managed_policies().filter(|policy| policy.account == *account);
    let profiles = identities.instance_profiles().filter(|profile| profile.account == *account);
    let devices = || identities.mfa_devices().filter(|device| device.account == *account);
    let providers = identities.open_id_connect_providers();
    vec![
        ("Users", users.count()),
        ("Groups", groups.count()),
        ("Roles", roles.count()),
        ("Policies", policies().count()),
        ("PolicyVersionsInUse", policies().map(|policy| policy.versions.len()).sum()),
        ("InstanceProfiles", profiles.count()),
        ("Providers", providers.filter(|provider| provider.account == *account).count()),
        ("MFADevices", devices().count()),
        ("MFADevicesInUse", devices().filter(|device| device.user.is_some()).count()),
    ]
}
