//! Who can do something.

use policy::{Access, Caller, Decision, Keys, simulate};

/// What one principal can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ability {
    /// ARN of the user, role or root.
    pub principal: String,
    /// The decision, with the deciding statement.
    pub decision: Decision,
    /// The condition keys that policies ask for and the question did not name: with other values the
    /// answer may be another. Sorted.
    pub depends_on: Vec<String>,
}

/// What each of `principals` can do: `access`, in a request that has the condition keys `assumed` and
/// no others. Each comes with the ARN that it is called by in the answer.
pub fn who_can<'a>(
    principals: impl IntoIterator<Item = (String, &'a Caller)>,
    access: &Access,
    assumed: &Keys,
) -> Vec<Ability> {
    let ability = |(principal, caller): (String, &Caller)| {
        let explanation = simulate(caller, access, assumed);
        Ability { principal, decision: explanation.decision, depends_on: explanation.missing_keys }
    };
    principals.into_iter().map(ability).collect()
}
