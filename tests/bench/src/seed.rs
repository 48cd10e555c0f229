//! Tasks in a store that never ran.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::{Task, TaskStatus};
use state::{Change, State};
use store_redb::{Options, RedbStore};
use tokio::runtime;

/// Tasks of one transaction: a precondition and a write each.
const TASKS_PER_CHANGE: usize = store::MAX_OPERATIONS / 2;

/// Adds copies of a stopped task to the store, which nobody else may have open; all ids then.
pub(crate) fn copies(store: &Path, count: u32) -> Result<Vec<String>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Arc::new(RedbStore::open(store, Options::default())?);
        let (state, follower) = State::open(store).await?;
        let follower = tokio::spawn(follower.run());
        let model = {
            let view = state.view();
            let mut tasks = view.tasks().map(|row| Task::clone(&row.value));
            tasks.find(|task| task.last_status == TaskStatus::Stopped)
        };
        let model = model.context("no task has stopped yet")?;
        let mut ids = vec![model.id.clone()];
        let numbers: Vec<u32> = (1..count).collect();
        for numbers in numbers.chunks(TASKS_PER_CHANGE) {
            let mut change = Change::new();
            for number in numbers {
                // Ids are random: so are places in the store.
                let id = format!("{:08x}{number:024x}", number.wrapping_mul(0x9e37_79b1));
                change.create(&Task { id: id.clone(), ..model.clone() });
                ids.push(id);
            }
            state.commit(change).await?;
        }
        follower.abort();
        Ok(ids)
    })
}
