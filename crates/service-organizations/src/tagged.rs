//! What can be tagged: accounts, units and policies.

use iam::Tags;
use state::Change;
use wire::ApiError;

use crate::error::target_not_found;
use crate::tree::{Node, Tree};

/// The tags of what `id` names.
///
/// # Errors
/// `TargetNotFoundException` when it names nothing that has tags.
pub(crate) fn tags_of<'a>(tree: Tree<'a>, id: Option<&String>) -> Result<&'a Tags, ApiError> {
    match tree.node(id) {
        Some(Node::Account(account)) => Ok(&account.value.tags),
        Some(Node::Unit(unit)) => Ok(&unit.value.tags),
        Some(Node::Root) | None => {
            tree.policy(id).map(|policy| &policy.value.tags).map_err(|_| target_not_found())
        }
    }
}

/// Changes the tags of what `id` names.
///
/// # Errors
/// As [`tags_of`], and what `edit` refuses.
pub(crate) fn retag(
    tree: Tree<'_>,
    change: &mut Change,
    id: Option<&String>,
    edit: impl FnOnce(&mut Tags) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    match tree.node(id) {
        Some(Node::Account(row)) => {
            let mut account = row.value.as_ref().clone();
            edit(&mut account.tags)?;
            change.update(row, &account);
        }
        Some(Node::Unit(row)) => {
            let mut unit = row.value.as_ref().clone();
            edit(&mut unit.tags)?;
            change.update(row, &unit);
        }
        Some(Node::Root) | None => {
            let row = tree.policy(id).map_err(|_| target_not_found())?;
            let mut policy = row.value.as_ref().clone();
            edit(&mut policy.tags)?;
            change.update(row, &policy);
        }
    }
    Ok(())
}
