//! The operations of AWS IAM: one file each in `ops/`, registered in one line each here.
//!
//! IAM works on the account of whoever calls. What users, groups and roles have in common is in
//! `holder`; `lookup` finds records or answers that there are none; `access` says on what a call is
//! authorised; `render` turns records into wire types.

mod access;
mod context;
mod credential_report;
mod document;
mod error;
mod holder;
mod instance_profile;
mod last_accessed;
mod linked;
mod lookup;
mod managed;
mod memory;
mod mfa;
mod name;
mod ops;
mod page;
mod provider;
mod quota;
mod render;
mod role;
mod simulation;
mod tag;

pub use context::{IamContext, RootKey};
pub use credential_report::CredentialReports;
pub use memory::Memory;

operation::operations! {
    /// AWS Identity and Access Management.
    pub struct IamService(IamContext) for api_iam::API {
        api_iam::ops::AddClientIDToOpenIDConnectProvider => ops::add_client_id_to_open_id_connect_provider,
        api_iam::ops::AddRoleToInstanceProfile => ops::add_role_to_instance_profile,
        api_iam::ops::AddUserToGroup => ops::add_user_to_group,
        api_iam::ops::AttachGroupPolicy => ops::attach_group_policy,
        api_iam::ops::AttachRolePolicy => ops::attach_role_policy,
        api_iam::ops::AttachUserPolicy => ops::attach_user_policy,
        api_iam::ops::CreateAccessKey => ops::create_access_key,
        api_iam::ops::CreateAccountAlias => ops::create_account_alias,
        api_iam::ops::CreateGroup => ops::create_group,
        api_iam::ops::CreateInstanceProfile => ops::create_instance_profile,
        api_iam::ops::CreateOpenIDConnectProvider => ops::create_open_id_connect_provider,
        api_iam::ops::CreatePolicy => ops::create_policy,
        api_iam::ops::CreatePolicyVersion => ops::create_policy_version,
        api_iam::ops::CreateRole => ops::create_role,
        api_iam::ops::CreateServiceLinkedRole => ops::create_service_linked_role,
        api_iam::ops::CreateUser => ops::create_user,
        api_iam::ops::CreateVirtualMFADevice => ops::create_virtual_mfa_device,
        api_iam::ops::DeactivateMFADevice => ops::deactivate_mfa_device,
        api_iam::ops::DeleteAccessKey => ops::delete_access_key,
        api_iam::ops::DeleteAccountAlias => ops::delete_account_alias,
        api_iam::ops::DeleteGroup => ops::delete_group,
        api_iam::ops::DeleteGroupPolicy => ops::delete_group_policy,
        api_iam::ops::DeleteInstanceProfile => ops::delete_instance_profile,
        api_iam::ops::DeleteOpenIDConnectProvider => ops::delete_open_id_connect_provider,
        api_iam::ops::DeletePolicy => ops::delete_policy,
        api_iam::ops::DeletePolicyVersion => ops::delete_policy_version,
        api_iam::ops::DeleteRole => ops::delete_role,
        api_iam::ops::DeleteRolePermissionsBoundary => ops::delete_role_permissions_boundary,
        api_iam::ops::DeleteRolePolicy => ops::delete_role_policy,
        api_iam::ops::DeleteServiceLinkedRole => ops::delete_service_linked_role,
        api_iam::ops::DeleteUser => ops::delete_user,
        api_iam::ops::DeleteUserPermissionsBoundary => ops::delete_user_permissions_boundary,
        api_iam::ops::DeleteUserPolicy => ops::delete_user_policy,
        api_iam::ops::DeleteVirtualMFADevice => ops::delete_virtual_mfa_device,
        api_iam::ops::DetachGroupPolicy => ops::detach_group_policy,
        api_iam::ops::DetachRolePolicy => ops::detach_role_policy,
        api_iam::ops::DetachUserPolicy => ops::detach_user_policy,
        api_iam::ops::EnableMFADevice => ops::enable_mfa_device,
        api_iam::ops::GenerateCredentialReport => ops::generate_credential_report,
        api_iam::ops::GenerateServiceLastAccessedDetails => ops::generate_service_last_accessed_details,
        api_iam::ops::GetAccessKeyLastUsed => ops::get_access_key_last_used,
        api_iam::ops::GetAccountAuthorizationDetails => ops::get_account_authorization_details,
        api_iam::ops::GetAccountSummary => ops::get_account_summary,
        api_iam::ops::GetContextKeysForCustomPolicy => ops::get_context_keys_for_custom_policy,
        api_iam::ops::GetContextKeysForPrincipalPolicy => ops::get_context_keys_for_principal_policy,
        api_iam::ops::GetCredentialReport => ops::get_credential_report,
        api_iam::ops::GetGroup => ops::get_group,
        api_iam::ops::GetGroupPolicy => ops::get_group_policy,
        api_iam::ops::GetInstanceProfile => ops::get_instance_profile,
        api_iam::ops::GetMFADevice => ops::get_mfa_device,
        api_iam::ops::GetOpenIDConnectProvider => ops::get_open_id_connect_provider,
        api_iam::ops::GetPolicy => ops::get_policy,
        api_iam::ops::GetPolicyVersion => ops::get_policy_version,
        api_iam::ops::GetRole => ops::get_role,
        api_iam::ops::GetRolePolicy => ops::get_role_policy,
        api_iam::ops::GetServiceLastAccessedDetails => ops::get_service_last_accessed_details,
        api_iam::ops::GetServiceLinkedRoleDeletionStatus => ops::get_service_linked_role_deletion_status,
        api_iam::ops::GetUser => ops::get_user,
        api_iam::ops::GetUserPolicy => ops::get_user_policy,
        api_iam::ops::ListAccessKeys => ops::list_access_keys,
        api_iam::ops::ListAccountAliases => ops::list_account_aliases,
        api_iam::ops::ListAttachedGroupPolicies => ops::list_attached_group_policies,
        api_iam::ops::ListAttachedRolePolicies => ops::list_attached_role_policies,
        api_iam::ops::ListAttachedUserPolicies => ops::list_attached_user_policies,
        api_iam::ops::ListEntitiesForPolicy => ops::list_entities_for_policy,
        api_iam::ops::ListGroupPolicies => ops::list_group_policies,
        api_iam::ops::ListGroups => ops::list_groups,
        api_iam::ops::ListGroupsForUser => ops::list_groups_for_user,
        api_iam::ops::ListInstanceProfileTags => ops::list_instance_profile_tags,
        api_iam::ops::ListInstanceProfiles => ops::list_instance_profiles,
        api_iam::ops::ListInstanceProfilesForRole => ops::list_instance_profiles_for_role,
        api_iam::ops::ListMFADevices => ops::list_mfa_devices,
        api_iam::ops::ListOpenIDConnectProviderTags => ops::list_open_id_connect_provider_tags,
        api_iam::ops::ListOpenIDConnectProviders => ops::list_open_id_connect_providers,
        api_iam::ops::ListPolicies => ops::list_policies,
        api_iam::ops::ListPolicyTags => ops::list_policy_tags,
        api_iam::ops::ListPolicyVersions => ops::list_policy_versions,
        api_iam::ops::ListRolePolicies => ops::list_role_policies,
        api_iam::ops::ListRoleTags => ops::list_role_tags,
        api_iam::ops::ListRoles => ops::list_roles,
        api_iam::ops::ListUserPolicies => ops::list_user_policies,
        api_iam::ops::ListUserTags => ops::list_user_tags,
        api_iam::ops::ListUsers => ops::list_users,
        api_iam::ops::ListVirtualMFADevices => ops::list_virtual_mfa_devices,
        api_iam::ops::PutGroupPolicy => ops::put_group_policy,
        api_iam::ops::PutRolePermissionsBoundary => ops::put_role_permissions_boundary,
        api_iam::ops::PutRolePolicy => ops::put_role_policy,
        api_iam::ops::PutUserPermissionsBoundary => ops::put_user_permissions_boundary,
        api_iam::ops::PutUserPolicy => ops::put_user_policy,
        api_iam::ops::RemoveClientIDFromOpenIDConnectProvider => ops::remove_client_id_from_open_id_connect_provider,
        api_iam::ops::RemoveRoleFromInstanceProfile => ops::remove_role_from_instance_profile,
        api_iam::ops::RemoveUserFromGroup => ops::remove_user_from_group,
        api_iam::ops::ResyncMFADevice => ops::resync_mfa_device,
        api_iam::ops::SetDefaultPolicyVersion => ops::set_default_policy_version,
        api_iam::ops::SimulateCustomPolicy => ops::simulate_custom_policy,
        api_iam::ops::SimulatePrincipalPolicy => ops::simulate_principal_policy,
        api_iam::ops::TagInstanceProfile => ops::tag_instance_profile,
        api_iam::ops::TagOpenIDConnectProvider => ops::tag_open_id_connect_provider,
        api_iam::ops::TagPolicy => ops::tag_policy,
        api_iam::ops::TagRole => ops::tag_role,
        api_iam::ops::TagUser => ops::tag_user,
        api_iam::ops::UntagInstanceProfile => ops::untag_instance_profile,
        api_iam::ops::UntagOpenIDConnectProvider => ops::untag_open_id_connect_provider,
        api_iam::ops::UntagPolicy => ops::untag_policy,
        api_iam::ops::UntagRole => ops::untag_role,
        api_iam::ops::UntagUser => ops::untag_user,
        api_iam::ops::UpdateAccessKey => ops::update_access_key,
        api_iam::ops::UpdateAssumeRolePolicy => ops::update_assume_role_policy,
        api_iam::ops::UpdateGroup => ops::update_group,
        api_iam::ops::UpdateOpenIDConnectProviderThumbprint => ops::update_open_id_connect_provider_thumbprint,
        api_iam::ops::UpdateRole => ops::update_role,
        api_iam::ops::UpdateRoleDescription => ops::update_role_description,
        api_iam::ops::UpdateUser => ops::update_user,
    }
}
