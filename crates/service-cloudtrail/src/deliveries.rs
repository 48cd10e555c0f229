//! What became of the copies that trails ask for; kept in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::Timestamp;

/// What is known of one trail's copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When a file was last written.
    pub file_at: Option<Timestamp>,
    /// What was wrong the last time, if anything.
    pub file_error: Option<String>,
    /// When events were last written to the log group.
    pub log_group_at: Option<Timestamp>,
    /// What was wrong the last time, if anything.
    pub log_group_error: Option<String>,
}

/// The deliveries of all trails, by the trail's key.
#[derive(Debug, Default)]
pub struct Deliveries(Mutex<BTreeMap<String, Delivery>>);

impl Deliveries {
    /// What is known of the trail with this key (`iam::key`).
    pub fn of(&self, key: &str) -> Delivery {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned().unwrap_or_default()
    }

    /// Notes what became of a delivery.
    pub fn note(&self, key: &str, note: impl FnOnce(&mut Delivery)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        note(all.entry(key.to_owned()).or_default());
    }

    /// Forgets all trails but those with these keys.
    pub fn retain(&self, is_there: impl Fn(&str) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key, _| is_there(key));
    }
}
