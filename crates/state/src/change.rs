//! A change of state: records to write, and what they were decided on.

use std::collections::BTreeMap;

use store::{Key, Precondition, Revision, Transaction, Write};

use crate::record::{Record, key, key_of};
use crate::{Fence, Row, StateError};

/// Records to create, update and delete in one transaction. Every write is a compare-and-set.
#[derive(Debug, Default)]
pub struct Change {
    preconditions: Vec<Precondition>,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    error: Option<StateError>,
}

impl Change {
    /// A change that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record that must not exist yet.
    pub fn create<T: Record>(&mut self, record: &T) {
        self.write(record, Precondition::Absent);
    }

    /// Replaces a record that must still be as it was read in `row`.
    pub fn update<T: Record>(&mut self, row: &Row<T>, record: &T) {
        let modified = row.modified;
        self.write(record, |key| Precondition::Unchanged(key, modified));
    }

    /// Creates the record, or replaces the one that was read in `row`.
    pub fn put<T: Record>(&mut self, row: Option<&Row<T>>, record: &T) {
        match row {
            Some(row) => self.update(row, record),
            None => self.create(record),
        }
    }

    /// Deletes a record that must still be as it was read in `row`.
    pub fn delete<T: Record>(&mut self, row: &Row<T>) {
        match key(row.value.as_ref()) {
            Ok(key) => {
                self.preconditions.push(Precondition::Unchanged(key.clone(), row.modified));
                self.writes.insert(key, None);
            }
            Err(error) => self.fail(error),
        }
    }

    /// Requires that a record is still as it was read, without writing it.
    pub fn require<T: Record>(&mut self, row: &Row<T>) {
        match key(row.value.as_ref()) {
            Ok(key) => self.preconditions.push(Precondition::Unchanged(key, row.modified)),
            Err(error) => self.fail(error),
        }
    }

    /// Takes the instance's turn for placements: fails when anything was placed on it since
    /// `fence` was read (`None`: nothing has ever been placed). Once a change and instance.
    pub fn fence(&mut self, container_instance: &str, fence: Option<&Row<Fence>>) {
        let Ok(key) = key_of(Fence::TABLE, container_instance) else { return };
        if self.writes.contains_key(&key) {
            return;
        }
        let placements = fence.map_or(0, |row| row.value.placements).saturating_add(1);
        let next = Fence { container_instance: container_instance.to_owned(), placements };
        self.put(fence, &next);
    }

    /// How many operations it has; the store takes at most [`store::MAX_OPERATIONS`].
    pub fn operations(&self) -> usize {
        self.preconditions.len().saturating_add(self.writes.len())
    }

    /// Whether it would write nothing.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.error.is_none()
    }

    fn write<T: Record>(&mut self, record: &T, precondition: impl FnOnce(Key) -> Precondition) {
        let encoded = key(record).and_then(|key| {
            let value = serde_json::to_vec(record).map_err(|error| StateError::Encode {
                table: T::TABLE,
                reason: error.to_string(),
            })?;
            Ok((key, value))
        });
        match encoded {
            Ok((key, value)) => {
                self.preconditions.push(precondition(key.clone()));
                self.writes.insert(key, Some(value));
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: StateError) {
        self.error.get_or_insert(error);
    }

    pub(crate) fn into_transaction(self) -> Result<Transaction, StateError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let writes = self.writes.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put(key, value.into()),
            None => Write::Delete(key),
        });
        Ok(Transaction { preconditions: self.preconditions, writes: writes.collect() })
    }
}

impl<T> Row<T> {
    /// The revision that last wrote the record.
    pub fn modified(&self) -> Revision {
        self.modified
    }
}
