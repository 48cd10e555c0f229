//! Who may do what: the only maker of proof that a call is authorised.
//!
//! An operation takes an [`Authorized`] value; nothing but [`authorize`] makes one, so that no
//! operation can run unasked. What a call wants to do is a list of [`Access`]es; [`decide`] answers
//! each from the [`Permissions`] of the [`Caller`] and the policy of the resource.

mod access;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod explain;
mod glob;
mod json;
mod permissions;
mod principal;
mod principals;
mod statement;
mod template;
mod values;

use std::sync::Arc;

use wire::Operation;

pub use access::{Access, Keys, ResourcePolicy};
pub use decision::{Decision, Denied, PolicyType, StatementRef};
pub use document::{
    DocumentError, MAX_DOCUMENT_BYTES, MAX_PROBLEMS, MAX_STATEMENTS, MAX_TEXT_CHARS, Policy,
    PolicyKind,
};
pub use evaluate::decide;
pub use explain::{Explanation, MatchedStatement, explain, simulate};
pub use glob::pattern_matches;
pub use permissions::{Membership, NamedPolicy, Permissions};
pub use principal::{Caller, Principal, PrincipalKind, SessionFacts};
pub use statement::{Effect, Position, Statement};

/// Proof that `caller` may perform `Op` on what `input` names, and the input itself.
///
/// The input cannot be changed after the decision; read it with [`Authorized::input`] or take it
/// out, which ends the proof.
#[derive(Debug)]
pub struct Authorized<Op: Operation> {
    caller: Caller,
    input: Op::Input,
}

impl<Op: Operation> Authorized<Op> {
    /// Who is calling.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was asked for.
    pub const fn input(&self) -> &Op::Input {
        &self.input
    }

    /// Ends the proof and gives its parts away.
    pub fn into_parts(self) -> (Caller, Op::Input) {
        (self.caller, self.input)
    }
}

/// An access and what was decided about it; for the record.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What was to be done.
    pub access: Access,
    /// The answer.
    pub decision: Decision,
}

/// What was decided about the accesses of a call, up to the first that is not allowed.
pub type Decisions = Arc<[Decided]>;

/// Decides whether `caller` may perform `Op` with `input`, which is every one of `accesses`.
/// Returns what was decided, for the record, with the proof or the denial.
///
/// # Errors
/// [`Denied`] names the first access that is not allowed. A call without accesses is allowed to
/// everybody who has a name: only operations that need no permission at all have none.
pub fn authorize<Op: Operation>(
    caller: Caller,
    accesses: Vec<Access>,
    input: Op::Input,
) -> (Decisions, Result<Authorized<Op>, Denied>) {
    let mut decisions = Vec::with_capacity(accesses.len());
    for access in accesses {
        let decision = decide(&caller, &access);
        let denied = (!decision.is_allowed()).then(|| Denied {
            principal: caller.principal.arn.clone(),
            action: access.action.clone().into_owned(),
            resource: access.shown().to_owned(),
            decision: Box::new(decision.clone()),
        });
        decisions.push(Decided { access, decision });
        if let Some(denied) = denied {
            return (decisions.into(), Err(denied));
        }
    }
    (decisions.into(), Ok(Authorized { caller, input }))
}

#[cfg(test)]
mod tests;
