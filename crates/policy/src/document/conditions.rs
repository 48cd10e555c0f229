//! `Condition`: operator, key, values.

use super::problems::{Problems, join};
use crate::condition::{Condition, Operator};
use crate::json::{Member, Node};

/// Reads the conditions of a statement; `variables` says whether its version has any.
pub(super) fn conditions(
    problems: &mut Problems,
    path: &str,
    node: &Node,
    variables: bool,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let operators = problems.object(path, node);
    for member in operators {
        let path = join(path, &member.name);
        differing_case(problems, &path, operators, member);
        match Operator::parse(&member.name) {
            Err(problem) => problems.add(&path, member.at, problem),
            Ok(operator) => {
                let keys = problems.object(&path, &member.node);
                if keys.is_empty() {
                    problems.add(
                        &path,
                        member.at,
                        "the operator has no keys: add one or remove it",
                    );
                }
                for key in keys {
                    differing_case(problems, &join(&path, &key.name), keys, key);
                    conditions.extend(condition(problems, &path, operator, key, variables));
                }
            }
        }
    }
    conditions
}

fn condition(
    problems: &mut Problems,
    path: &str,
    operator: Operator,
    key: &Member,
    variables: bool,
) -> Option<Condition> {
    let path = join(path, &key.name);
    let is_key = key
        .name
        .split_once(':')
        .is_some_and(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty())
        && key.name.len() <= 512
        && !key.name.contains(|char: char| char.is_control() || char == '*' || char == '$');
    if !is_key {
        let problem = format!(
            "`{}` is not a condition key: it must be prefaced by a service, as in `ecs:cluster`",
            key.name
        );
        problems.add(&path, key.at, problem);
        return None;
    }
    let mut test = operator.test();
    for value in problems.scalars(&path, &key.node) {
        if let Err(problem) = test.add(value.text, variables) {
            problems.add(&value.path, value.at, problem);
        }
    }
    Some(Condition::new(operator, &key.name, test))
}

/// Names that differ only in case are one name to a decision.
fn differing_case(problems: &mut Problems, path: &str, members: &[Member], member: &Member) {
    let earlier = members.iter().take_while(|earlier| earlier.at != member.at).find(|earlier| {
        earlier.name != member.name && earlier.name.eq_ignore_ascii_case(&member.name)
    });
    if let Some(earlier) = earlier {
        let problem = format!("`{}` is `{}` in another case: keep one", member.name, earlier.name);
        problems.add(path, member.at, problem);
    }
}
