//! The organisation and what is in it, as the operations look at it.

use iam::{Account, Organization, OrganizationalUnit, ServiceControlPolicy};
use policy::Caller;
use state::{Identities, Row, View};
use wire::ApiError;

use crate::error::{
    account_not_found, not_in_use, not_management, policy_not_found, target_not_found,
};

/// The organisation of a caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    identities: &'a Identities,
    /// Its record.
    pub(crate) organization: &'a Row<Organization>,
}

/// What policies are attached to and accounts and units are in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'a> {
    /// The root.
    Root,
    /// A unit.
    Unit(&'a Row<OrganizationalUnit>),
    /// An account.
    Account(&'a Row<Account>),
}

impl<'a> Tree<'a> {
    /// The organisation that the caller's account is in.
    ///
    /// # Errors
    /// `AWSOrganizationsNotInUseException`.
    pub(crate) fn of(view: &'a View, caller: &Caller) -> Result<Self, ApiError> {
        let identities = view.identities();
        let organization = identities.organization().ok_or_else(not_in_use)?;
        if identities.account(caller.principal.account.as_str()).is_none() {
            return Err(not_in_use());
        }
        Ok(Self { identities, organization })
    }

    /// The organisation that the caller's account manages.
    ///
    /// # Errors
    /// As [`Tree::of`], and `AccessDeniedException` for any other account of it.
    pub(crate) fn managed(view: &'a View, caller: &Caller) -> Result<Self, ApiError> {
        let tree = Self::of(view, caller)?;
        if tree.organization.management_account == caller.principal.account {
            Ok(tree)
        } else {
            Err(not_management())
        }
    }

    /// Every account, by id.
    pub(crate) fn accounts(self) -> impl Iterator<Item = &'a Row<Account>> {
        self.identities.accounts()
    }

    /// Every unit, by id.
    pub(crate) fn units(self) -> impl Iterator<Item = &'a Row<OrganizationalUnit>> {
        self.identities.organizational_units()
    }

    /// Every policy, by id.
    pub(crate) fn policies(self) -> impl Iterator<Item = &'a Row<ServiceControlPolicy>> {
        self.identities.service_control_policies()
    }

    /// The account with this id.
    ///
    /// # Errors
    /// `AccountNotFoundException`.
    pub(crate) fn account(self, id: Option<&String>) -> Result<&'a Row<Account>, ApiError> {
        id.and_then(|id| self.identities.account(id)).ok_or_else(account_not_found)
    }

    /// The unit with this id, if there is one.
    pub(crate) fn unit(self, id: Option<&String>) -> Option<&'a Row<OrganizationalUnit>> {
        self.identities.organizational_unit(id?)
    }

    /// The policy with this id.
    ///
    /// # Errors
    /// `PolicyNotFoundException`.
    pub(crate) fn policy(
        self,
        id: Option<&String>,
    ) -> Result<&'a Row<ServiceControlPolicy>, ApiError> {
        id.and_then(|id| self.identities.service_control_policy(id)).ok_or_else(policy_not_found)
    }

    /// What the id names, if it names something.
    pub(crate) fn node(self, id: Option<&String>) -> Option<Node<'a>> {
        let id = id?;
        if *id == self.organization.root_id {
            return Some(Node::Root);
        }
        let unit = self.identities.organizational_unit(id).map(Node::Unit);
        unit.or_else(|| self.identities.account(id).map(Node::Account))
    }

    /// What a policy can be attached to.
    ///
    /// # Errors
    /// `TargetNotFoundException`.
    pub(crate) fn target(self, id: Option<&String>) -> Result<Node<'a>, ApiError> {
        self.node(id).ok_or_else(target_not_found)
    }

    /// The root or unit with this id, if there is one.
    pub(crate) fn parent(self, id: Option<&String>) -> Option<Node<'a>> {
        self.node(id).filter(|node| !matches!(node, Node::Account(_)))
    }

    /// The policies that are attached to a target.
    pub(crate) fn attached(
        self,
        target: &str,
    ) -> impl Iterator<Item = &'a Row<ServiceControlPolicy>> {
        self.policies().filter(move |policy| policy.targets.contains(target))
    }

    /// How many units stand above what is directly in `parent`.
    pub(crate) fn depth(self, parent: &str) -> usize {
        let mut depth: usize = 0;
        let mut above = self.identities.organizational_unit(parent);
        while let Some(unit) = above {
            depth = depth.saturating_add(1);
            if depth > crate::limit::DEPTH {
                break;
            }
            above = self.identities.organizational_unit(&unit.parent_id);
        }
        depth
    }
}

impl Node<'_> {
    /// Its name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Root => "Root".to_owned(),
            Self::Unit(unit) => unit.name.clone(),
            Self::Account(account) => account.name.clone(),
        }
    }
}
