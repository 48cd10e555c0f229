//! Placements, one after the other.
//!
//! Every placement on an instance takes the instance's fence, so that concurrent ones would
//! conflict and be decided anew, over and over. Instead they wait here, in the order in which they
//! came: there are never more than the gateway has requests under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use domain::{ContainerInstanceStatus, Task};
use scheduler::Fleet;
use state::{Change, View};
use store::Revision;
use tokio::sync::Mutex;
use wire::ApiError;

use crate::EcsContext;

/// Clusters whose fleets are remembered.
const MAX_FLEETS: usize = 64;

/// The queue of placements, and the clusters' fleets as they last were. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct Placements {
    turn: Arc<Mutex<()>>,
    fleets: Arc<std::sync::Mutex<Fleets>>,
}

impl Placements {
    /// The fleets. Keep the guard for computing only: never across an `await`.
    pub(crate) fn fleets(&self) -> MutexGuard<'_, Fleets> {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fleets of clusters, brought up to date instead of being built for every call. They only save work:
/// whether an instance is still as it was seen is for the fence to decide.
#[derive(Debug, Default)]
pub(crate) struct Fleets(BTreeMap<String, KnownFleet>);

#[derive(Debug, Default)]
struct KnownFleet {
    fleet: Fleet,
    /// What the fleet shows is the state at this revision, but for `assumed`.
    revision: Revision,
    /// Instances that something was placed on in the fleet, whether or not it was committed.
    assumed: BTreeSet<String>,
}

impl Fleets {
    /// The instances of a cluster that are not INACTIVE, with what their tasks leave.
    pub(crate) fn current(&mut self, view: &View, cluster: &str) -> &mut Fleet {
        if self.0.len() >= MAX_FLEETS && !self.0.contains_key(cluster) {
            self.0.pop_first();
        }
        let known = self.0.entry(cluster.to_owned()).or_default();
        let mut stale = std::mem::take(&mut known.assumed);
        let mut newest = known.revision;
        for (revision, instance) in view.placements_changed_after(known.revision) {
            newest = newest.max(revision);
            stale.insert(instance.to_owned());
        }
        known.revision = newest;
        for id in stale {
            let record = view.instance(&id).filter(|record| {
                record.cluster == cluster && record.status != ContainerInstanceStatus::Inactive
            });
            match record {
                Some(record) => {
                    let tasks: Vec<&Task> =
                        view.tasks_on(&id).map(|row| row.value.as_ref()).collect();
                    known.fleet.upsert(placement::instance(record, &tasks));
                }
                None => drop(known.fleet.remove(&id)),
            }
        }
        debug_assert!(
            shows(&known.fleet, view, cluster),
            "the remembered fleet is not the state's"
        );
        &mut known.fleet
    }

    /// Something was placed on these instances in the fleet of a cluster: they are read again.
    pub(crate) fn assumed(&mut self, cluster: &str, instances: impl IntoIterator<Item = String>) {
        if let Some(known) = self.0.get_mut(cluster) {
            known.assumed.extend(instances);
        }
    }
}

/// Whether `fleet` is what would be built anew. Every debug build asks this of every placement.
fn shows(fleet: &Fleet, view: &View, cluster: &str) -> bool {
    let records = view
        .instances_of(cluster)
        .filter(|record| record.status != ContainerInstanceStatus::Inactive);
    let mut count: usize = 0;
    let same = records.into_iter().all(|record| {
        count = count.saturating_add(1);
        let tasks: Vec<&Task> = view.tasks_on(&record.id).map(|row| row.value.as_ref()).collect();
        let known = fleet.ordinal_of(&record.id).and_then(|ordinal| fleet.get(ordinal));
        known == Some(&placement::instance(record, &tasks))
    });
    same && count == fleet.len()
}

impl EcsContext {
    /// As [`EcsContext::commit`], for changes that place tasks.
    ///
    /// # Errors
    ///
    /// Those of [`EcsContext::commit`].
    pub(crate) async fn commit_placement<T>(
        &self,
        build: impl Fn(&View, &mut Change) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let _turn = self.placements.turn.lock().await;
        self.commit(build).await
    }
}
