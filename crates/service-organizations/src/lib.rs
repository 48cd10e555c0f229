//! The operations of AWS Organizations: one file each in `ops/`, registered in one line each here.
//!
//! The server's own account is the only one that can found an organisation. Accounts are made at once;
//! they hold identities and what those may do, while the resources of ECS are the server's own
//! account's. `tree` looks records up, `arn` names them, `render` turns them into wire types.

mod arn;
mod attach;
mod context;
mod document;
mod error;
mod limit;
mod ops;
mod page;
mod policy_type;
mod render;
mod tag;
mod tagged;
mod tree;

pub use context::OrganizationsContext;

operation::operations! {
    /// AWS Organizations.
    pub struct OrganizationsService(OrganizationsContext) for api_organizations::API {
        api_organizations::ops::AttachPolicy => ops::attach_policy,
        api_organizations::ops::CloseAccount => ops::close_account,
        api_organizations::ops::CreateAccount => ops::create_account,
        api_organizations::ops::CreateOrganization => ops::create_organization,
        api_organizations::ops::CreateOrganizationalUnit => ops::create_organizational_unit,
        api_organizations::ops::CreatePolicy => ops::create_policy,
        api_organizations::ops::DeleteOrganization => ops::delete_organization,
        api_organizations::ops::DeleteOrganizationalUnit => ops::delete_organizational_unit,
        api_organizations::ops::DeletePolicy => ops::delete_policy,
        api_organizations::ops::DescribeAccount => ops::describe_account,
        api_organizations::ops::DescribeCreateAccountStatus => ops::describe_create_account_status,
        api_organizations::ops::DescribeOrganization => ops::describe_organization,
        api_organizations::ops::DescribeOrganizationalUnit => ops::describe_organizational_unit,
        api_organizations::ops::DescribePolicy => ops::describe_policy,
        api_organizations::ops::DetachPolicy => ops::detach_policy,
        api_organizations::ops::DisablePolicyType => ops::disable_policy_type,
        api_organizations::ops::EnablePolicyType => ops::enable_policy_type,
        api_organizations::ops::ListAccounts => ops::list_accounts,
        api_organizations::ops::ListAccountsForParent => ops::list_accounts_for_parent,
        api_organizations::ops::ListChildren => ops::list_children,
        api_organizations::ops::ListCreateAccountStatus => ops::list_create_account_status,
        api_organizations::ops::ListOrganizationalUnitsForParent => ops::list_organizational_units_for_parent,
        api_organizations::ops::ListParents => ops::list_parents,
        api_organizations::ops::ListPolicies => ops::list_policies,
        api_organizations::ops::ListPoliciesForTarget => ops::list_policies_for_target,
        api_organizations::ops::ListRoots => ops::list_roots,
        api_organizations::ops::ListTagsForResource => ops::list_tags_for_resource,
        api_organizations::ops::ListTargetsForPolicy => ops::list_targets_for_policy,
        api_organizations::ops::MoveAccount => ops::move_account,
        api_organizations::ops::TagResource => ops::tag_resource,
        api_organizations::ops::UntagResource => ops::untag_resource,
        api_organizations::ops::UpdateOrganizationalUnit => ops::update_organizational_unit,
        api_organizations::ops::UpdatePolicy => ops::update_policy,
    }
}
