//! Wire types inside records: the [`Document`] members.

use domain::Document;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::ApiError;

use crate::error::server_exception;

/// The wire form of `value`.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<Document, ApiError> {
    serde_json::to_value(value).map(Document).map_err(|error| {
        tracing::error!(%error, "a wire type cannot be written as a document");
        server_exception("The request could not be kept.")
    })
}

/// The value whose wire form `document` is; the default one for an empty document.
pub(crate) fn read<T: DeserializeOwned + Default>(document: &Document) -> T {
    if document.0.is_null() {
        return T::default();
    }
    T::deserialize(&document.0).unwrap_or_else(|error| {
        tracing::error!(%error, "a document in the state is not what it should be");
        T::default()
    })
}

/// How many bytes `value` takes as JSON.
pub(crate) fn size<T: Serialize>(value: &T) -> Result<usize, ApiError> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).map_err(|error| {
        tracing::error!(%error, "a record cannot be written as JSON");
        server_exception("The request could not be kept.")
    })?;
    Ok(counter.0)
}

/// A writer that only counts.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
