//! The principals of an account, as reports look at them.

use std::sync::Arc;

use base::AccountId;
use identity::{Policies, principal_of_role_session, principal_of_user};
use policy::{Caller, Permissions, Principal, SessionFacts};
use state::View;

use crate::PortcullisContext;

/// A principal with what applies to it.
#[derive(Debug)]
pub(crate) struct Subject {
    /// ARN of the user, the role or the root.
    pub(crate) arn: String,
    /// It, calling now.
    pub(crate) caller: Caller,
}

/// The root, the users and the roles of `account`, by ARN.
pub(crate) fn subjects(ctx: &PortcullisContext, view: &View, account: &AccountId) -> Vec<Subject> {
    let identities = view.identities();
    let policies: &Policies = &ctx.policies;
    let mut subjects = vec![subject(
        ctx,
        format!("arn:aws:iam::{account}:root"),
        Principal::root(account.clone()),
        policies.permissions_of_root(view, account),
    )];
    for user in identities.users().filter(|user| user.account == *account) {
        if let Some(permissions) = policies.permissions_of_user(view, account, &user.name) {
            subjects.push(subject(ctx, user.arn(), principal_of_user(user), permissions));
        }
    }
    for role in identities.roles().filter(|role| role.account == *account) {
        let principal = principal_of_role_session(role, "report", &iam::Tags::new());
        let permissions = policies.permissions_of_role(view, role);
        subjects.push(subject(ctx, role.arn(), principal, permissions));
    }
    subjects.sort_by(|one, other| one.arn.cmp(&other.arn));
    subjects
}

fn subject(
    ctx: &PortcullisContext,
    arn: String,
    principal: Principal,
    permissions: Permissions,
) -> Subject {
    let root = Caller::root(principal.account.clone(), ctx.scope.region.clone(), ctx.clock.now());
    let caller = Caller {
        principal: Arc::new(principal),
        permissions: Arc::new(permissions),
        session: Arc::new(SessionFacts::default()),
        ..root
    };
    Subject { arn, caller }
}
