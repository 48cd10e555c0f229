//! What policies grant, and when it was last needed.

use std::sync::Arc;

use base::Timestamp;
use policy::{Effect, NamedPolicy, Statement, pattern_matches};

use crate::ActionUse;

/// One action pattern of one statement that allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// ARN or name of the policy.
    pub policy: Arc<str>,
    /// The statement's place in the document, from 0.
    pub statement: usize,
    /// The statement's `Sid`, when it has one.
    pub sid: Option<String>,
    /// The pattern as written: `ecs:List*`. Of a `NotAction`, `*`.
    pub action: String,
    /// The resources as written.
    pub resources: Vec<String>,
    /// When something that it covers was last used; `None`: never, as far as the trail reaches.
    pub last_used_at: Option<Timestamp>,
}

/// Everything that `policies` allow, in their order, with the last use among `uses`. A use counts for
/// every grant that covers it; conditions are not looked at, because what was allowed has met them.
pub fn grants(policies: &[NamedPolicy], uses: &[ActionUse]) -> Vec<Grant> {
    let mut grants = Vec::new();
    for named in policies {
        for statement in named.policy.statements() {
            if statement.effect() == Effect::Allow {
                grants.extend(of_statement(named, statement, uses));
            }
        }
    }
    grants
}

fn of_statement(named: &NamedPolicy, statement: &Statement, uses: &[ActionUse]) -> Vec<Grant> {
    let resources: Vec<String> = statement.resources().map(str::to_owned).collect();
    let covered: Vec<&ActionUse> = uses
        .iter()
        .filter(|one| {
            let listed = resources.iter().any(|pattern| pattern_matches(pattern, &one.resource));
            listed != statement.is_not_resource() && statement.is_about_action(&one.action)
        })
        .collect();
    let grant = |action: &str, last_used_at| Grant {
        policy: Arc::clone(&named.name),
        statement: statement.index(),
        sid: statement.sid().map(str::to_owned),
        action: action.to_owned(),
        resources: resources.clone(),
        last_used_at,
    };
    if statement.is_not_action() {
        return vec![grant("*", covered.iter().map(|one| one.last_used_at).max())];
    }
    let last_use = |pattern: &str| {
        let pattern = pattern.to_ascii_lowercase();
        let uses = covered
            .iter()
            .filter(|one| pattern_matches(&pattern, &one.action.to_ascii_lowercase()));
        uses.map(|one| one.last_used_at).max()
    };
    statement.actions().map(|pattern| grant(pattern, last_use(pattern))).collect()
}
