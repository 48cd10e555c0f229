//! All rules, one line each.

use crate::Rule;
use crate::rules::*;

static RULES: [&Rule; 7] = [
    &tsk_004::RULE,
    &net_003::RULE,
    &x_pid::RULE,
    &x_ipc::RULE,
    &tsk_007::RULE,
    &x_docksock::RULE,
    &x_dev::RULE,
];

/// All rules, in the order in which findings are reported.
pub fn rules() -> &'static [&'static Rule] {
    &RULES
}

/// What a person needs to know about a rule, as several lines of text; `None` for an unknown id.
/// Upper and lower case do not matter.
pub fn explain(id: &str) -> Option<String> {
    let rule = RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))?;
    let Rule { id, title, severity, disposition, why, fix, passes, fails, maps, .. } = rule;
    let maps = maps.join(", ");
    Some(format!(
        "{id}: {title}\n\
         severity {severity}, {disposition}\n\n\
         Why: {why}\n\n\
         Fix: {fix}\n\n\
         Passes:\n{passes}\n\n\
         Fails:\n{fails}\n\n\
         Same or nearest published checks: {maps}\n"
    ))
}
