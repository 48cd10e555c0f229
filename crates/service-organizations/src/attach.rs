//! What is attached without being asked for.

use iam::FULL_AWS_ACCESS;
use state::Change;

use crate::tree::Tree;

/// Attaches FullAWSAccess to a new unit or account, as everything has it, while service control
/// policies are in force: what a new account may not do is what policies say, not what nobody said.
pub(crate) fn attach_full_access(tree: Tree<'_>, change: &mut Change, target: &str) {
    if !tree.organization.service_control_policies {
        // Whoever turns them on meanwhile has to see the new target.
        change.require(tree.organization);
        return;
    }
    if let Ok(full) = tree.policy(Some(&FULL_AWS_ACCESS.to_owned())) {
        let mut policy = full.value.as_ref().clone();
        policy.targets.insert(target.to_owned());
        change.update(full, &policy);
    }
}
