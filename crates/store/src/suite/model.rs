//! Random transactions against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Fixture, key, next, run};
use crate::{Change, CommitError, Entry, Query, Revision, Span, Transaction};

const KEYS: usize = 5;

/// What a random transaction requires of a key.
#[derive(Debug, Clone, Copy)]
enum Require {
    Absent,
    Present,
    /// As it is now.
    Current,
    /// As it was before some revisions.
    Stale(u64),
}

#[derive(Debug, Clone)]
struct Step {
    requires: Vec<(usize, Require)>,
    /// `None` deletes.
    writes: Vec<(usize, Option<u8>)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let require = prop_oneof![
        1 => Just(Require::Absent),
        1 => Just(Require::Present),
        3 => Just(Require::Current),
        1 => (1..4_u64).prop_map(Require::Stale),
    ];
    let step = (vec((0..KEYS, require), 0..3), vec((0..KEYS, any::<Option<u8>>()), 0..4));
    vec(step.prop_map(|(requires, writes)| Step { requires, writes }), 1..40)
}

#[derive(Debug, Default)]
struct Model {
    revision: u64,
    entries: BTreeMap<String, Entry>,
}

impl Model {
    fn modified(&self, name: &str) -> Option<Revision> {
        self.entries.get(name).map(|entry| entry.modified)
    }

    fn transaction(&self, step: &Step) -> Transaction {
        let mut transaction = Transaction::new();
        for (index, require) in &step.requires {
            let name = name(*index);
            let current = self.modified(&name).unwrap_or_default();
            transaction = match require {
                Require::Absent => transaction.absent(key(&name)),
                Require::Present => transaction.present(key(&name)),
                Require::Current => transaction.unchanged(key(&name), current),
                Require::Stale(by) => {
                    transaction.unchanged(key(&name), Revision(current.0.saturating_sub(*by)))
                }
            };
        }
        for (index, value) in &step.writes {
            transaction = match value {
                Some(byte) => transaction.put(key(&name(*index)), vec![*byte]),
                None => transaction.delete(key(&name(*index))),
            };
        }
        transaction
    }

    fn commit(&mut self, step: &Step) -> Result<Revision, CommitError> {
        for (position, (index, _)) in step.writes.iter().enumerate() {
            if step.writes[..position].iter().any(|(earlier, _)| earlier == index) {
                return Err(CommitError::DuplicateKey { key: key(&name(*index)) });
            }
        }
        for (index, require) in &step.requires {
            let found = self.modified(&name(*index));
            let holds = match require {
                Require::Absent => found.is_none(),
                Require::Present | Require::Current => found.is_some(),
                Require::Stale(_) => false,
            };
            if !holds {
                return Err(CommitError::Conflict { key: key(&name(*index)), found });
            }
        }
        let next = Revision(self.revision + 1);
        for (index, value) in &step.writes {
            let name = name(*index);
            let old = self.entries.remove(&name);
            if let Some(byte) = value {
                let created = old.as_ref().map_or(next, |old| old.created);
                let value = vec![*byte].into();
                let entry = Entry { key: key(&name), value, created, modified: next };
                self.entries.insert(name, entry);
                self.revision = next.0;
            } else if old.is_some() {
                self.revision = next.0;
            }
        }
        Ok(Revision(self.revision))
    }

    fn list(&self) -> Vec<Entry> {
        self.entries.values().cloned().collect()
    }
}

fn name(index: usize) -> String {
    format!("m/{index}")
}

/// Answers, states, past states and the watch are those of the model.
pub fn random_transactions_agree_with_a_simple_model(fixture: &dyn Fn() -> Fixture) {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        run(agree(fixture(), &steps));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

async fn agree(fixture: Fixture, steps: &[Step]) {
    let start = fixture.store.revision();
    let mut model = Model { revision: start.0, ..Model::default() };
    let mut states = BTreeMap::from([(start, Vec::new())]);
    for step in steps {
        let transaction = model.transaction(step);
        assert_eq!(fixture.store.commit(transaction).await, model.commit(step), "{step:?}");
        let page = fixture.store.range(Query::new(Span::prefix("m/"))).await.unwrap();
        assert_eq!((page.revision.0, &page.entries), (model.revision, &model.list()), "{step:?}");
        states.insert(page.revision, page.entries);
    }
    for (revision, entries) in &states {
        let query = Query::new(Span::prefix("m/")).at(*revision);
        assert_eq!(&fixture.store.range(query).await.unwrap().entries, entries, "at {revision}");
    }
    let mut watch = fixture.watch("m/", start).await;
    let mut replayed = BTreeMap::new();
    for (revision, entries) in states.iter().skip(1) {
        let batch = next(&mut watch).await.unwrap();
        assert_eq!(batch.revision, *revision);
        for change in &batch.changes {
            match change {
                Change::Put(entry) => replayed.insert(entry.key.clone(), entry.clone()),
                Change::Deleted(key) => replayed.remove(key),
            };
        }
        assert!(replayed.values().eq(entries), "{replayed:?} at {revision}");
    }
}
