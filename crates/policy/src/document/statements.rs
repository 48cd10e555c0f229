//! The elements of a document and of its statements.

use std::sync::Arc;

use super::conditions::conditions;
use super::problems::{Problems, Text, join};
use super::{MAX_STATEMENTS, PolicyKind};
use crate::json::{Member, Node, Value};
use crate::principals::{Pattern, Principals};
use crate::statement::{ActionPattern, Effect, Position, Set, Statement};
use crate::template::{Reading, Template};

/// Reads a whole document.
pub(super) fn document(problems: &mut Problems, kind: PolicyKind, root: &Node) -> Vec<Statement> {
    let members = problems.object("document", root);
    let mut variables = false;
    let mut statements = None;
    for member in members {
        match member.name.as_str() {
            "Version" => variables = version(problems, member),
            "Id" => {
                problems.texts("Id", &member.node);
            }
            "Statement" => statements = Some(&member.node),
            name => {
                let problem = format!(
                    "`{name}` is not an element of a policy: write `Version`, `Id` or `Statement`"
                );
                problems.add(name, member.at, problem);
            }
        }
    }
    let Some(node) = statements else {
        if matches!(root.value, Value::Object(_)) {
            problems.add("document", root.start, "missing required field `Statement`");
        }
        return Vec::new();
    };
    let reader = Reader { kind, variables };
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => {
            return reader.statement(problems, "Statement", 0, node).into_iter().collect();
        }
    };
    if nodes.is_empty() {
        problems.add("Statement", node.start, "the policy has no statements: write at least one");
    }
    if nodes.len() > MAX_STATEMENTS {
        let problem = format!("the policy has more than {MAX_STATEMENTS} statements: split it");
        problems.add("Statement", node.start, problem);
        return Vec::new();
    }
    let read =
        |(index, node)| reader.statement(problems, &format!("Statement[{index}]"), index, node);
    let statements: Vec<Statement> = nodes.iter().enumerate().filter_map(read).collect();
    unique_sids(problems, &statements);
    statements
}

/// Whether the version has policy variables.
fn version(problems: &mut Problems, member: &Member) -> bool {
    let is = |wanted: &str| matches!(&member.node.value, Value::Text(text) if text == wanted);
    if !is("2012-10-17") && !is("2008-10-17") {
        let problem = "the policy language has the versions `2012-10-17` and `2008-10-17`";
        problems.add("Version", member.node.start, problem);
    }
    is("2012-10-17")
}

fn unique_sids(problems: &mut Problems, statements: &[Statement]) {
    for (index, statement) in statements.iter().enumerate() {
        let Some(sid) = &statement.sid else { continue };
        let mut earlier = statements.iter().take(index).filter_map(|other| other.sid.as_ref());
        if earlier.any(|other| other == sid) {
            let path = format!("Statement[{}].Sid", statement.index);
            let problem = format!(
                "statement ids (`Sid`) in a single policy must be unique: `{sid}` is there twice"
            );
            problems.add(&path, statement.start, problem);
        }
    }
}

struct Reader {
    kind: PolicyKind,
    variables: bool,
}

/// Which elements a statement has.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a Member>,
    effect: Option<&'a Member>,
    action: Option<&'a Member>,
    resource: Option<&'a Member>,
    principal: Option<&'a Member>,
    condition: Option<&'a Member>,
}

impl<'a> Elements<'a> {
    fn read(problems: &mut Problems, path: &str, members: &'a [Member]) -> Self {
        let mut elements = Self::default();
        for member in members {
            let place = match member.name.as_str() {
                "Sid" => &mut elements.sid,
                "Effect" => &mut elements.effect,
                "Action" | "NotAction" => &mut elements.action,
                "Resource" | "NotResource" => &mut elements.resource,
                "Principal" | "NotPrincipal" => &mut elements.principal,
                "Condition" => &mut elements.condition,
                name => {
                    let problem = format!("`{name}` is not an element of a statement");
                    problems.add(&join(path, name), member.at, problem);
                    continue;
                }
            };
            if let Some(other) = place.filter(|other| other.name != member.name) {
                let problem = format!(
                    "a statement has `{}` or `{}`, not both: keep one",
                    other.name, member.name
                );
                problems.add(&join(path, &member.name), member.at, problem);
            }
            *place = Some(member);
        }
        elements
    }
}

impl Reader {
    fn statement(
        &self,
        problems: &mut Problems,
        path: &str,
        index: usize,
        node: &Node,
    ) -> Option<Statement> {
        let Value::Object(_) = &node.value else {
            let problem = format!("a statement is an object, found {}", node.value.kind());
            problems.add(path, node.start, problem);
            return None;
        };
        let members = problems.object(path, node);
        let elements = Elements::read(problems, path, members);
        let at = node.start;
        let sid = elements.sid.and_then(|member| self.sid(problems, path, member));
        let effect = effect(problems, path, at, elements.effect);
        let actions = self.actions(problems, path, at, elements.action);
        let resources = self.resources(problems, path, at, elements.resource);
        let principals = self.principals(problems, path, at, elements.principal);
        let conditions = elements.condition.map_or_else(Vec::new, |member| {
            conditions(problems, &join(path, "Condition"), &member.node, self.variables)
        });
        Some(Statement {
            index,
            sid,
            effect: effect?,
            start: at,
            end: node.end,
            actions: actions?,
            resources,
            principals,
            conditions,
        })
    }

    fn sid(&self, problems: &mut Problems, path: &str, member: &Member) -> Option<Arc<str>> {
        let path = join(path, "Sid");
        let Value::Text(sid) = &member.node.value else {
            let problem = format!("expected a text, found {}", member.node.value.kind());
            problems.add(&path, member.node.start, problem);
            return None;
        };
        let is_allowed = match self.kind {
            PolicyKind::Resource => |char: char| !char.is_control(),
            PolicyKind::Identity | PolicyKind::Trust | PolicyKind::ServiceControl => {
                |char: char| char.is_ascii_alphanumeric()
            }
        };
        if sid.len() > 256 || !sid.chars().all(is_allowed) {
            let problem = format!("statement ids (`Sid`) must be alphanumeric: `{sid}` is not");
            problems.add(&path, member.node.start, problem);
        }
        (!sid.is_empty()).then(|| sid.as_str().into())
    }

    fn actions(
        &self,
        problems: &mut Problems,
        path: &str,
        at: Position,
        member: Option<&Member>,
    ) -> Option<Set<ActionPattern>> {
        let Some(member) = member else {
            problems.add(path, at, "missing required field `Action`");
            return None;
        };
        let path = join(path, &member.name);
        let negated = member.name == "NotAction";
        let mut patterns = Vec::new();
        for Text { text, path, at } in problems.texts(&path, &member.node) {
            match ActionPattern::parse(text) {
                Err(problem) => problems.add(&path, at, problem),
                Ok(pattern) => {
                    if self.kind == PolicyKind::Trust
                        && (negated || pattern.service() != Some("sts"))
                    {
                        let problem =
                            "a role's trust policy may only specify STS AssumeRole actions";
                        problems.add(&path, at, problem);
                    }
                    patterns.push(pattern);
                }
            }
        }
        Some(Set { negated, patterns })
    }

    fn resources(
        &self,
        problems: &mut Problems,
        path: &str,
        at: Position,
        member: Option<&Member>,
    ) -> Option<Set<Template>> {
        let Some(member) = member else {
            if matches!(self.kind, PolicyKind::Identity | PolicyKind::ServiceControl) {
                problems.add(path, at, "missing required field `Resource`");
            }
            return None;
        };
        let path = join(path, &member.name);
        if self.kind == PolicyKind::Trust {
            let problem = format!(
                "has prohibited field `{}`: a trust policy is about its own role",
                member.name
            );
            problems.add(&path, member.at, problem);
            return None;
        }
        let reading = Reading { wildcards: true, variables: self.variables };
        let mut patterns = Vec::new();
        for Text { text, path, at } in problems.texts(&path, &member.node) {
            let template =
                check_resource(text, self.variables).and_then(|()| Template::parse(text, reading));
            match template {
                Err(problem) => problems.add(&path, at, problem),
                Ok(template) => patterns.push(template),
            }
        }
        Some(Set { negated: member.name == "NotResource", patterns })
    }

    fn principals(
        &self,
        problems: &mut Problems,
        path: &str,
        at: Position,
        member: Option<&Member>,
    ) -> Option<Principals> {
        let has_principals = matches!(self.kind, PolicyKind::Trust | PolicyKind::Resource);
        let Some(member) = member else {
            if has_principals {
                problems.add(path, at, "missing required field `Principal`");
            }
            return None;
        };
        let path = join(path, &member.name);
        let negated = member.name == "NotPrincipal";
        if !has_principals || negated && self.kind == PolicyKind::Trust {
            problems.add(&path, member.at, format!("has prohibited field `{}`", member.name));
            return None;
        }
        if let Value::Text(text) = &member.node.value {
            if text == "*" {
                return Some(Principals { negated, patterns: vec![Pattern::Everybody] });
            }
            let problem = format!("invalid principal `{text}` in policy: write `*` or an object");
            problems.add(&path, member.node.start, problem);
            return None;
        }
        let kinds = problems.object(&path, &member.node);
        if kinds.is_empty() && matches!(member.node.value, Value::Object(_)) {
            problems.add(&path, member.at, "policy statement must contain principals");
        }
        let mut patterns = Vec::new();
        for kind in kinds {
            for Text { text, path, at } in problems.texts(&join(&path, &kind.name), &kind.node) {
                match Pattern::parse(&kind.name, text) {
                    Err(problem) => problems.add(&path, at, problem),
                    Ok(pattern) => patterns.push(pattern),
                }
            }
        }
        Some(Principals { negated, patterns })
    }
}

fn effect(
    problems: &mut Problems,
    path: &str,
    at: Position,
    member: Option<&Member>,
) -> Option<Effect> {
    let Some(member) = member else {
        problems.add(path, at, "missing required field `Effect`");
        return None;
    };
    let is = |wanted: &str| matches!(&member.node.value, Value::Text(text) if text == wanted);
    if is("Allow") {
        Some(Effect::Allow)
    } else if is("Deny") {
        Some(Effect::Deny)
    } else {
        let problem = "the effect is `Allow` or `Deny`, written so";
        problems.add(&join(path, "Effect"), member.node.start, problem);
        None
    }
}

/// `*`, or an ARN of which the service is written out.
fn check_resource(text: &str, variables: bool) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    let wrong = || format!("resource `{text}` must be in ARN format or `*`");
    let rest = text.strip_prefix("arn:").ok_or_else(wrong)?;
    if variables && rest.starts_with("${") {
        return Ok(());
    }
    let (partition, rest) = rest.split_once(':').ok_or_else(wrong)?;
    let is_partition = !partition.is_empty()
        && partition
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'*' | b'?'));
    if !is_partition {
        return Err(format!("partition `{partition}` is not valid for resource `{text}`"));
    }
    let (service, rest) = rest.split_once(':').ok_or_else(wrong)?;
    if service.is_empty() || service.contains(['*', '?']) {
        return Err(format!(
            "the service of resource `{text}` must be written out, without wildcards"
        ));
    }
    // A wildcard or a variable may stand for several parts.
    let parts = rest.splitn(3, ':').collect::<Vec<_>>();
    let is_complete = parts.len() == 3 && parts.last().is_some_and(|resource| !resource.is_empty());
    let may_be_more = rest.contains('*') || variables && rest.contains("${");
    if is_complete || may_be_more { Ok(()) } else { Err(wrong()) }
}
