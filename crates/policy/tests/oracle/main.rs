//! The engine against a second evaluator, on random policies, callers and accesses.

#[cfg(test)]
mod evaluator;
#[cfg(test)]
mod questions;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evaluator::{Answer, Documents};
use policy::{Access, Caller, Decision, PolicyKind, PolicyType, decide, explain};
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use questions::{
    OPERATORS, access, caller, compile, condition, documents, permissions, values_for,
};
use serde_json::json;

fn answer(decision: &Decision) -> Answer {
    match decision {
        Decision::Allowed(statement) => {
            Answer::Allowed(statement.as_ref().map(|one| one.policy_type))
        }
        Decision::ExplicitlyDenied(statement) => {
            Answer::Denied(statement.policy_type, statement.index)
        }
        Decision::NotAllowed(policy_type) => Answer::NotAllowed(*policy_type),
    }
}

fn check(caller: Caller, access: Access, documents: &Documents) -> Answer {
    let caller = Caller { permissions: Arc::new(permissions(documents)), ..caller };
    let access = match &documents.resource {
        Some((document, required)) => {
            access.with_resource_policy(compile(document, PolicyKind::Resource), *required)
        }
        None => access,
    };
    let decision = decide(&caller, &access);
    let expected = evaluator::decide(&caller, &access, documents);
    assert_eq!(answer(&decision), expected, "{:?} {access:?} {documents:#?}", caller.principal);
    explained(&caller, &access, &decision);
    expected
}

/// An explanation agrees with the decision it explains.
fn explained(caller: &Caller, access: &Access, decision: &Decision) {
    let explanation = explain(caller, access);
    assert_eq!(explanation.decision, *decision);
    if let Decision::Allowed(Some(named)) | Decision::ExplicitlyDenied(named) = decision {
        let is_it = |found: &policy::MatchedStatement| {
            (found.policy_type, found.index) == (named.policy_type, named.index)
        };
        assert!(explanation.matched.iter().any(is_it), "{named:?} in {explanation:?}");
    }
    let context = evaluator::context(caller, access);
    assert!(explanation.missing_keys.iter().all(|key| !context.contains_key(&key.to_lowercase())));
}

#[test]
fn the_engine_decides_as_the_oracle() {
    let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let counts = RefCell::new(BTreeMap::<Answer, usize>::new());
    TestRunner::new_with_rng(config, seed)
        .run(&(caller(), access(), documents()), |(caller, access, documents)| {
            let found = match check(caller, access, &documents) {
                Answer::Denied(policy_type, _) => Answer::Denied(policy_type, 0),
                other @ (Answer::Allowed(_) | Answer::NotAllowed(_)) => other,
            };
            *counts.borrow_mut().entry(found).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let counts = counts.into_inner();
    let all = [
        PolicyType::Identity,
        PolicyType::Resource,
        PolicyType::Boundary,
        PolicyType::Session,
        PolicyType::ServiceControl,
    ];
    let mut wanted = BTreeSet::from([
        Answer::Allowed(None),
        Answer::Allowed(Some(PolicyType::Identity)),
        Answer::Allowed(Some(PolicyType::Resource)),
    ]);
    wanted.extend(all.map(|policy_type| Answer::Denied(policy_type, 0)));
    wanted.extend(all.map(Answer::NotAllowed));
    for answer in wanted {
        let count = counts.get(&answer).copied().unwrap_or_default();
        assert!(count >= 20, "{answer:?} only {count} times: {counts:?}");
    }
}

/// Each operator by itself, where chance has the most to say about it.
#[test]
fn the_engine_compares_as_the_oracle() {
    let config = Config { cases: 12_000, failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let counts = RefCell::new(BTreeMap::<(String, bool), usize>::new());
    TestRunner::new_with_rng(config, seed)
        .run(&(caller(), access(), condition(), any::<Index>()), |question| {
            let (caller, mut access, condition, chosen) = question;
            let operator = condition.as_object().unwrap().keys().next().unwrap().clone();
            // Half the time a value that a document could have as well.
            let values = values_for(&operator);
            if let Some(value) = values.get(chosen.index(values.len() * 2)) {
                access.keys.insert("a:k".to_owned(), vec![(*value).to_owned()]);
            }
            let documents = Documents {
                resource: Some((
                    json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Principal": "*",
                        "Action": "*", "Condition": condition } }),
                    false,
                )),
                ..Documents::default()
            };
            let holds = matches!(check(caller, access, &documents), Answer::Denied(..));
            *counts.borrow_mut().entry((operator, holds)).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let counts = counts.into_inner();
    for operator in OPERATORS {
        for holds in [true, false] {
            let count = counts.get(&(operator.to_owned(), holds)).copied().unwrap_or_default();
            assert!(count >= 5, "{operator} was {holds} only {count} times");
        }
    }
}
