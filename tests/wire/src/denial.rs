//! Every operation, called by those who may not and by one who just may.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use operation::Outcome;
use policy::{Access, Caller};
use serde_json::{Value, json};

use crate::caller::Identity;
use crate::{Step, World, call_as, cases, fail, or_fail, read, run, text_or_json};

/// Operations that everybody with a name may call, whatever the policies say.
const ALWAYS_ALLOWED: &[&str] = &["sts:GetCallerIdentity", "sts:GetSessionToken"];

/// Operations of callers without a name: the policy of a resource alone decides. A denial of each
/// is among its cases.
const RESOURCE_DECIDES: &[&str] = &["sts:AssumeRoleWithWebIdentity"];

/// The most accesses of one call.
const MAX_ACCESSES: usize = 250;

/// Replays the last successful call of every case of its operation, from the same state:
///
/// - as a user without policies, who is denied, in a text that tells who, what and on what;
/// - as a user who may do everything, but for the first thing that the call does, which a statement
///   denies: denied, in a text that says so;
/// - as a user who may do exactly what the call says it does: answered as root was.
///
/// A caller given in the case is kept, with other policies. The operations of the service that have
/// no such case are those that `undenied.txt` lists, no more and no fewer.
///
/// # Panics
/// With everything that is otherwise.
pub async fn every_operation_can_be_denied<W: World>(
    service: &str,
    new_world: impl AsyncFn() -> W,
) {
    let mut wrong = Vec::new();
    let mut denied = BTreeSet::new();
    for (operation, path) in cases(service) {
        let steps = read(&path);
        let qualified = format!("{service}:{operation}");
        if has_recorded_denial(&steps, &operation) {
            denied.insert(qualified.clone());
        }
        let own = |step: &Step| step.call.as_ref() == Some(&operation) && step.status == Some(200);
        let Some(last) = steps.iter().rposition(own) else { continue };
        let Some((before, [step, ..])) = steps.split_at_checked(last) else { continue };
        if step.replay == Some(false) || RESOURCE_DECIDES.contains(&qualified.as_str()) {
            continue;
        }
        let world = new_world().await;
        let done = run(&world, before).await;
        step.prepare(&world).await;
        let body = step.body(world.service(), &operation, &done);
        let replay = Replay { world: &world, step, operation: &operation, body };
        let result = if ALWAYS_ALLOWED.contains(&qualified.as_str()) {
            replay.is_always_allowed().await
        } else {
            replay.is_denied_and_allowed().await
        };
        match result {
            Ok(()) => drop(denied.insert(qualified)),
            Err(problem) => wrong.push(format!("{}: {problem}", path.display())),
        }
    }
    if !wrong.is_empty() {
        fail(&format!("{} calls are authorised wrongly:\n{}", wrong.len(), wrong.join("\n\n")));
    }
    check_ratchet(service, &new_world().await, &denied);
}

fn has_recorded_denial(steps: &[Step], operation: &str) -> bool {
    steps.iter().filter(|step| step.call.as_deref() == Some(operation)).any(|step| {
        let response = step.response.as_ref().map(Value::to_string).unwrap_or_default();
        step.status >= Some(400) && response.contains("AccessDenied")
    })
}

/// `undenied.txt` may only shrink: an operation is either denied by a test or listed there.
fn check_ratchet(service: &str, world: &impl World, denied: &BTreeSet<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("undenied.txt");
    let text = or_fail(fs::read_to_string(&path), &path);
    let prefix = format!("{service}:");
    let listed: BTreeSet<String> =
        text.lines().filter(|line| line.starts_with(&prefix)).map(str::to_owned).collect();
    let operations = world.service().api().operations.iter();
    let all: BTreeSet<String> = operations.map(|info| format!("{prefix}{}", info.name)).collect();
    let untested: Vec<_> = all.difference(denied).filter(|name| !listed.contains(*name)).collect();
    if !untested.is_empty() {
        fail(&format!("no test denies {untested:?}: record a success of each"));
    }
    let tested: Vec<_> =
        listed.iter().filter(|name| denied.contains(*name) || !all.contains(*name)).collect();
    if !tested.is_empty() {
        fail(&format!("{tested:?} need no line in undenied.txt any more"));
    }
}

/// One call that may be made again until it succeeds.
struct Replay<'a, W> {
    world: &'a W,
    step: &'a Step,
    operation: &'a str,
    body: String,
}

impl<W: World> Replay<'_, W> {
    /// Calls as the step's caller, or as a user, with `statements` only.
    async fn call(&self, statements: &[Value]) -> (Caller, Outcome) {
        let documents = statements.iter();
        // Of one statement each: a document may be only so long.
        let documents =
            documents.map(|one| json!({ "Version": "2012-10-17", "Statement": [one] })).collect();
        let given = self.step.identity.clone().filter(|given| !given.has_no_policies());
        let identity = given.unwrap_or_else(|| Identity::user("replay")).with_only(documents);
        let caller = Step { identity: Some(identity), ..self.step.clone() }.caller(self.world);
        let service = self.world.service();
        (caller.clone(), call_as(service, self.operation, self.body.clone(), caller).await)
    }

    async fn is_always_allowed(&self) -> Result<(), String> {
        let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
        let (_, outcome) = self.call(&[deny]).await;
        expect(outcome.response.status == 200, "should be allowed always", &outcome)
    }

    async fn is_denied_and_allowed(&self) -> Result<(), String> {
        let (caller, outcome) = self.call(&[]).await;
        let first = denied_access(&caller, &outcome)?;

        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let deny = json!({ "Effect": "Deny", "Action": first.action, "Resource": "*" });
        let (caller, outcome) = self.call(&[all, deny]).await;
        denied_access(&caller, &outcome)?;
        let why = "with an explicit deny in an identity-based policy";
        expect(text(&outcome).contains(why), "should be denied by the statement", &outcome)?;

        let mut allowed: Vec<Value> = Vec::new();
        for _ in 0..MAX_ACCESSES {
            let (caller, outcome) = self.call(&allowed).await;
            if outcome.response.status == 200 {
                return self.is_as_recorded(&caller, &outcome);
            }
            let access = denied_access(&caller, &outcome)?;
            let (action, resource) = (&access.action, &access.resource);
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
            let again = allowed.contains(&statement);
            expect(!again, "is allowed what it asks for, and is denied it", &outcome)?;
            allowed.push(statement);
        }
        Err(format!("more than {MAX_ACCESSES} accesses"))
    }

    /// The answer is the recorded one, but for the caller's name in it.
    fn is_as_recorded(&self, caller: &Caller, outcome: &Outcome) -> Result<(), String> {
        let recorded = self.step.caller(self.world).principal.arn.clone();
        let found = text(outcome).replace(&caller.principal.arn, &recorded);
        let found = text_or_json(found.as_bytes());
        let same = self.step.response.as_ref() == Some(&found);
        expect(same, "should be answered as it was to the recorded caller", outcome)
    }
}

fn text(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.response.body).into_owned()
}

fn expect(holds: bool, what: &str, outcome: &Outcome) -> Result<(), String> {
    let status = outcome.response.status;
    if holds { Ok(()) } else { Err(format!("{what}: {status} {}", text(outcome))) }
}

/// The access that was denied, last of those decided; the answer says so completely.
fn denied_access<'a>(caller: &Caller, outcome: &'a Outcome) -> Result<&'a Access, String> {
    let answer = text(outcome);
    expect(answer.contains("AccessDenied"), "should be denied", outcome)?;
    let decided = outcome.considered.decisions.last().filter(|last| !last.decision.is_allowed());
    let Some(decided) = decided else {
        return Err(format!("no decision denies it: {answer}"));
    };
    let access = &decided.access;
    for part in [caller.principal.arn.as_str(), &access.action, access.shown()] {
        expect(answer.contains(part), &format!("the denial should name `{part}`"), outcome)?;
    }
    Ok(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(directory: &Path, text: &str) -> bool {
        let Ok(entries) = fs::read_dir(directory) else { return false };
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.any(|path| {
            if path.is_dir() {
                return mentions(&path, text);
            }
            fs::read_to_string(&path).unwrap().contains(text)
        })
    }

    #[test]
    fn every_service_replays_its_cases() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
        let crates = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap());
        let (mut services, mut without) = (0, Vec::new());
        for directory in crates {
            let name = directory.file_name().to_string_lossy().into_owned();
            if name.starts_with("service-") {
                services += 1;
                let call = "goldens::every_operation_can_be_denied(";
                if !mentions(&directory.path().join("tests"), call) {
                    without.push(name);
                }
            }
        }
        assert!(services > 2 && without.is_empty(), "no test of {without:?} replays its cases");
    }
}
