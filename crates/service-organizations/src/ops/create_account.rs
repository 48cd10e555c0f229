//! `CreateAccount`: a new account, at once, with a role that the management account may assume.

use api_organizations::ops::CreateAccount;
use api_organizations::types::{CreateAccountRequest, CreateAccountResponse};
use base::AccountId;
use iam::{Account, AccountStatus, Role};
use policy::{Access, Authorized, Caller};
use std::collections::{BTreeMap, BTreeSet};
use wire::ApiError;

use crate::attach::attach_full_access;
use crate::error::constraint;
use crate::tree::Tree;
use crate::{OrganizationsContext, arn, limit, render, tag};

pub(crate) fn accesses(
    ctx: &OrganizationsContext,
    caller: &Caller,
    input: &CreateAccountRequest,
) -> Vec<Access> {
    {
        let mut accesses = arn::accesses::<CreateAccount>(&ctx.state.view(), caller, &[None]);
        accesses = accesses
            .into_iter()
            .map(|access| access.with_request_tags(tag::pairs(input.tags.as_ref())))
            .collect();
        accesses
    }
}

pub(crate) async fn execute(
    ctx: &OrganizationsContext,
    call: Authorized<CreateAccount>,
) -> Result<CreateAccountResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let email = input.email.unwrap_or_default();
    let name = input.account_name.unwrap_or_default();
    let role_name = input.role_name.unwrap_or_else(|| DEFAULT_ROLE.to_owned());
    let tags = tag::read(input.tags)?;
    let account = ctx
        .commit(|view, change| {
            let tree = Tree::managed(view, &caller)?;
            if tree.accounts().any(|account| account.email.eq_ignore_ascii_case(&email)) {
                return Err(constraint(format!(
                    "An account with the e-mail address {email} is in the organization already."
                )));
            }
            if tree.accounts().count() >= limit::ACCOUNTS {
                return Err(constraint(format!(
                    "ACCOUNT_NUMBER_LIMIT_EXCEEDED: an organization has at most {} accounts.",
                    limit::ACCOUNTS
                )));
            }
            let account = Account {
                id: new_id(ctx, tree)?,
                name: name.clone(),
                email: email.clone(),
                status: AccountStatus::Active,
                request_id: Some(format!("car-{}", ctx.name(32))),
                joined_at: ctx.now(),
                parent_id: tree.organization.root_id.clone(),
                tags: tags.clone(),
            };
            change.create(&account);
            change.create(&access_role(ctx, tree, &account, &role_name));
            attach_full_access(tree, change, account.id.as_str());
            Ok(account)
        })
        .await?;
    let create_account_status = Some(render::create_account_status(&account));
    Ok(CreateAccountResponse { create_account_status })
}

/// The role that every new account has.
const DEFAULT_ROLE: &str = "OrganizationAccountAccessRole";
/// How often an id is drawn before the request is given up.
const MAX_DRAWS: usize = 100;

/// An id that no account has.
fn new_id(ctx: &OrganizationsContext, tree: Tree<'_>) -> Result<AccountId, ApiError> {
    (0..MAX_DRAWS)
        .filter_map(|_| format!("{:012}", ctx.ids.next_u64() % 1_000_000_000_000).parse().ok())
        .find(|id: &AccountId| tree.accounts().all(|account| account.id != *id))
        .ok_or_else(|| constraint("No free account id was found. Try again."))
}

/// The role through which the management account administers `account`.
fn access_role(ctx: &OrganizationsContext, tree: Tree<'_>, account: &Account, name: &str) -> Role {
    let management = &tree.organization.management_account;
    let trust_policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::{management}:root"}}, "Action": "sts:AssumeRole"}}]}}"#
    );
    Role {
        account: account.id.clone(),
        name: name.to_owned(),
        path: "/".to_owned(),
        id: identity::unique_id(ctx.ids.as_ref(), "AROA"),
        created_at: ctx.now(),
        description: None,
        max_session_duration_s: 3600,
        trust_policy,
        inline_policies: BTreeMap::new(),
        attached_policies: BTreeSet::from([
            "arn:aws:iam::aws:policy/AdministratorAccess".to_owned()
        ]),
        permissions_boundary: None,
        tags: iam::Tags::new(),
        linked_service: None,
    }
}
