//! The projection: every record, decoded, with the indexes that reads need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{
    AccountSetting, Cluster, ContainerInstance, Service, ServiceDeployment, ServiceRevision, Task,
    TaskDefinition, TaskDefinitionFamily, TaskDefinitionId,
};
use serde::de::DeserializeOwned;
use store::{Change, Entry, Revision};

use crate::identities::Identities;
use crate::record::{ClientToken, Fence, Record};
use crate::{StateError, Touched};

/// A record as it was at `modified`.
#[derive(Debug)]
pub struct Row<T> {
    /// The record.
    pub value: Arc<T>,
    pub(crate) modified: Revision,
}

// Not derived: a row of a type that cannot be cloned can.
impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), modified: self.modified }
    }
}

impl<T> std::ops::Deref for Row<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

type Table<T> = BTreeMap<String, Row<T>>;
type Index = BTreeMap<String, BTreeSet<String>>;

/// All state at one revision.
#[derive(Debug, Default)]
pub struct View {
    account_settings: Table<AccountSetting>,
    client_tokens: Table<ClientToken>,
    clusters: Table<Cluster>,
    instances: Table<ContainerInstance>,
    fences: Table<Fence>,
    services: Table<Service>,
    service_deployments: Table<ServiceDeployment>,
    service_revisions: Table<ServiceRevision>,
    tasks: Table<Task>,
    task_definitions: Table<TaskDefinition>,
    families: Table<TaskDefinitionFamily>,
    identities: Identities,
    /// `CLUSTER` → task ids.
    tasks_by_cluster: Index,
    /// `CLUSTER/SERVICE` → task ids.
    tasks_by_service: Index,
    /// Container instance → ids of tasks that are not STOPPED.
    tasks_by_instance: Index,
    /// `CLUSTER/SERVICE` → service deployment ids.
    deployments_by_service: Index,
    /// Container instance → the revision that last wrote it or a task on it.
    placements_changed: BTreeMap<String, Revision>,
    /// The same by revision.
    placements_by_change: BTreeSet<(Revision, String)>,
}

/// Reads of one table: one record, all, and how many.
macro_rules! table {
    ($one:ident, $all:ident, $field:ident, $type:ty, $what:literal) => {
        #[doc = concat!("The ", $what, " of this key.")]
        pub fn $one(&self, key: &str) -> Option<&Row<$type>> {
            self.$field.get(key)
        }

        #[doc = concat!("Every ", $what, ", in the order of keys.")]
        pub fn $all(&self) -> impl DoubleEndedIterator<Item = &Row<$type>> {
            self.$field.values()
        }
    };
}

impl View {
    table!(cluster, clusters, clusters, Cluster, "cluster (key: its name)");
    table!(instance, instances, instances, ContainerInstance, "container instance (key: its id)");
    table!(task, tasks, tasks, Task, "task (key: its id)");
    table!(
        service_deployment,
        service_deployments,
        service_deployments,
        ServiceDeployment,
        "service deployment (key: its id)"
    );
    table!(
        service_revision,
        service_revisions,
        service_revisions,
        ServiceRevision,
        "service revision (key: its id)"
    );
    table!(family, families, families, TaskDefinitionFamily, "task definition family");
    table!(
        client_token,
        client_tokens,
        client_tokens,
        ClientToken,
        "client token (key: its scope)"
    );

    /// Users, roles, policies, organisations and all else that tells who may do what.
    pub const fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The service of this name, whatever its status.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Row<Service>> {
        self.services.get(&format!("{cluster}/{name}"))
    }

    /// Every service, by cluster and name.
    pub fn services(&self) -> impl DoubleEndedIterator<Item = &Row<Service>> {
        self.services.values()
    }

    /// The services of a cluster, by name.
    pub fn services_of(&self, cluster: &str) -> impl Iterator<Item = &Row<Service>> {
        prefixed(&self.services, format!("{cluster}/"))
    }

    /// The revision `id` of a task definition.
    pub fn task_definition(&self, id: &TaskDefinitionId) -> Option<&Row<TaskDefinition>> {
        self.task_definitions.get(&format!("{}/{:010}", id.family, id.revision))
    }

    /// The revisions of a family, oldest first.
    pub fn revisions_of(
        &self,
        family: &str,
    ) -> impl DoubleEndedIterator<Item = &Row<TaskDefinition>> + use<'_> {
        prefixed(&self.task_definitions, format!("{family}/"))
    }

    /// Every task definition, by family and revision.
    pub fn task_definitions(&self) -> impl DoubleEndedIterator<Item = &Row<TaskDefinition>> {
        self.task_definitions.values()
    }

    /// The setting `name` of a principal's ARN or of [`domain::DEFAULT_PRINCIPAL`].
    pub fn account_setting(&self, name: &str, principal: &str) -> Option<&Row<AccountSetting>> {
        self.account_settings.get(&format!("{name}/{principal}"))
    }

    /// Every chosen setting.
    pub fn account_settings(&self) -> impl DoubleEndedIterator<Item = &Row<AccountSetting>> {
        self.account_settings.values()
    }

    /// The fence of an instance; `None` before the first placement.
    pub fn fence(&self, container_instance: &str) -> Option<&Row<Fence>> {
        self.fences.get(container_instance)
    }

    /// The instances of a cluster, by id.
    pub fn instances_of(&self, cluster: &str) -> impl Iterator<Item = &Row<ContainerInstance>> {
        self.instances.values().filter(move |instance| instance.cluster == cluster)
    }

    /// Ids of instances that were written, or a task on them, after a revision, with the revision of the
    /// last such write; by revision. What was computed from the instances and their tasks at `after` is
    /// still true of all others.
    pub fn placements_changed_after(
        &self,
        after: Revision,
    ) -> impl Iterator<Item = (Revision, &str)> {
        let newer = self.placements_by_change.range((after.next(), String::new())..);
        newer.map(|(revision, instance)| (*revision, instance.as_str()))
    }

    fn placement_changed(&mut self, instance: &str, revision: Revision) {
        let before = self.placements_changed.insert(instance.to_owned(), revision);
        let newest = before.map_or(revision, |before| before.max(revision));
        if let Some(before) = before {
            self.placements_by_change.remove(&(before, instance.to_owned()));
        }
        self.placements_changed.insert(instance.to_owned(), newest);
        self.placements_by_change.insert((newest, instance.to_owned()));
    }

    /// The tasks of a cluster, STOPPED ones included, by id.
    pub fn tasks_of(&self, cluster: &str) -> impl Iterator<Item = &Row<Task>> {
        self.indexed(&self.tasks_by_cluster, cluster)
    }

    /// The tasks of a service, STOPPED ones included, by id.
    pub fn tasks_of_service(
        &self,
        cluster: &str,
        service: &str,
    ) -> impl Iterator<Item = &Row<Task>> + use<'_> {
        self.indexed(&self.tasks_by_service, &format!("{cluster}/{service}"))
    }

    /// The tasks on an instance that are not STOPPED, by id.
    pub fn tasks_on(&self, container_instance: &str) -> impl Iterator<Item = &Row<Task>> {
        self.indexed(&self.tasks_by_instance, container_instance)
    }

    /// The service deployments of a service, by id.
    pub fn deployments_of(
        &self,
        cluster: &str,
        service: &str,
    ) -> impl Iterator<Item = &Row<ServiceDeployment>> {
        let ids = self.deployments_by_service.get(&format!("{cluster}/{service}"));
        ids.into_iter().flatten().filter_map(|id| self.service_deployments.get(id))
    }

    fn indexed<'a>(
        &'a self,
        index: &'a Index,
        key: &str,
    ) -> impl Iterator<Item = &'a Row<Task>> + use<'a> {
        index.get(key).into_iter().flatten().filter_map(|id| self.tasks.get(id))
    }

    pub(crate) fn everything(&self) -> Vec<Touched> {
        let services = self.services.values().map(|service| Touched::Service {
            cluster: service.cluster.clone(),
            service: service.name.clone(),
        });
        let instances =
            self.instances.values().map(|instance| Touched::Instance { id: instance.id.clone() });
        services.chain(instances).collect()
    }

    pub(crate) fn apply(
        &mut self,
        change: &Change,
        revision: Revision,
        touched: &mut Vec<Touched>,
    ) -> Result<(), StateError> {
        match change {
            Change::Put(entry) => self.put(entry, touched),
            Change::Deleted(key) => {
                self.delete(key.as_str(), revision, touched);
                Ok(())
            }
        }
    }

    /// Takes in an entry. A table that this version does not know is left alone: it may belong to
    /// a newer one.
    pub(crate) fn put(
        &mut self,
        entry: &Entry,
        touched: &mut Vec<Touched>,
    ) -> Result<(), StateError> {
        let Some((table, path)) = entry.key.as_str().split_once('/') else { return Ok(()) };
        let path = path.to_owned();
        match table {
            AccountSetting::TABLE => insert(&mut self.account_settings, path, entry),
            ClientToken::TABLE => insert(&mut self.client_tokens, path, entry),
            Cluster::TABLE => insert(&mut self.clusters, path, entry),
            Fence::TABLE => insert(&mut self.fences, path, entry),
            TaskDefinition::TABLE => insert(&mut self.task_definitions, path, entry),
            TaskDefinitionFamily::TABLE => insert(&mut self.families, path, entry),
            ServiceRevision::TABLE => insert(&mut self.service_revisions, path, entry),
            ContainerInstance::TABLE => {
                touched.push(Touched::Instance { id: path.clone() });
                self.placement_changed(&path, entry.modified);
                insert(&mut self.instances, path, entry)
            }
            Service::TABLE => {
                touch_service(&path, touched);
                insert(&mut self.services, path, entry)
            }
            ServiceDeployment::TABLE => {
                let row = decode::<ServiceDeployment>(entry)?;
                let service = format!("{}/{}", row.cluster, row.service);
                touch_service(&service, touched);
                self.deployments_by_service.entry(service).or_default().insert(path.clone());
                self.service_deployments.insert(path, row);
                Ok(())
            }
            Task::TABLE => {
                let row = decode::<Task>(entry)?;
                self.placement_changed(&row.container_instance, entry.modified);
                self.index_task(&row, touched);
                self.tasks.insert(path, row);
                Ok(())
            }
            _ => self.identities.put(table, &path, entry).map(drop),
        }
    }

    /// Notes that everything was read at `revision`.
    pub(crate) fn read_at(&mut self, revision: Revision) {
        self.identities.read_at(revision);
    }

    fn index_task(&mut self, task: &Task, touched: &mut Vec<Touched>) {
        let id = task.id.clone();
        touched.push(Touched::TasksOn { instance: task.container_instance.clone() });
        if let Some(service) = &task.service {
            let service = format!("{}/{service}", task.cluster);
            touch_service(&service, touched);
            self.tasks_by_service.entry(service).or_default().insert(id.clone());
        }
        self.tasks_by_cluster.entry(task.cluster.clone()).or_default().insert(id.clone());
        if task.holds_resources() {
            self.tasks_by_instance.entry(task.container_instance.clone()).or_default().insert(id);
        } else {
            remove(&mut self.tasks_by_instance, &task.container_instance, &id);
        }
    }

    fn delete(&mut self, key: &str, revision: Revision, touched: &mut Vec<Touched>) {
        let Some((table, path)) = key.split_once('/') else { return };
        match table {
            AccountSetting::TABLE => drop(self.account_settings.remove(path)),
            ClientToken::TABLE => drop(self.client_tokens.remove(path)),
            Cluster::TABLE => drop(self.clusters.remove(path)),
            Fence::TABLE => drop(self.fences.remove(path)),
            TaskDefinition::TABLE => drop(self.task_definitions.remove(path)),
            TaskDefinitionFamily::TABLE => drop(self.families.remove(path)),
            ServiceRevision::TABLE => drop(self.service_revisions.remove(path)),
            ContainerInstance::TABLE => {
                touched.push(Touched::Instance { id: path.to_owned() });
                self.placement_changed(path, revision);
                self.instances.remove(path);
            }
            Service::TABLE => {
                touch_service(path, touched);
                self.services.remove(path);
            }
            ServiceDeployment::TABLE => {
                if let Some(row) = self.service_deployments.remove(path) {
                    let service = format!("{}/{}", row.cluster, row.service);
                    remove(&mut self.deployments_by_service, &service, path);
                }
            }
            Task::TABLE => {
                if let Some(task) = self.tasks.remove(path) {
                    self.placement_changed(&task.container_instance, revision);
                    touched.push(Touched::TasksOn { instance: task.container_instance.clone() });
                    remove(&mut self.tasks_by_cluster, &task.cluster, path);
                    remove(&mut self.tasks_by_instance, &task.container_instance, path);
                    if let Some(service) = &task.service {
                        let service = format!("{}/{service}", task.cluster);
                        touch_service(&service, touched);
                        remove(&mut self.tasks_by_service, &service, path);
                    }
                }
            }
            _ => {
                self.identities.delete(table, path, revision);
            }
        }
    }
}

fn touch_service(path: &str, touched: &mut Vec<Touched>) {
    if let Some((cluster, service)) = path.split_once('/') {
        touched.push(Touched::Service { cluster: cluster.to_owned(), service: service.to_owned() });
    }
}

pub(crate) fn decode<T: DeserializeOwned>(entry: &Entry) -> Result<Row<T>, StateError> {
    match serde_json::from_slice(&entry.value) {
        Ok(value) => Ok(Row { value: Arc::new(value), modified: entry.modified }),
        Err(source) => Err(StateError::Record { key: entry.key.to_string(), source }),
    }
}

fn insert<T: DeserializeOwned>(
    table: &mut Table<T>,
    path: String,
    entry: &Entry,
) -> Result<(), StateError> {
    table.insert(path, decode(entry)?);
    Ok(())
}

fn remove(index: &mut Index, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

fn prefixed<T>(
    table: &Table<T>,
    prefix: String,
) -> impl DoubleEndedIterator<Item = &Row<T>> + use<'_, T> {
    // `0` is the character after `/`: the range ends where the prefix does.
    let end = prefix.strip_suffix('/').map_or_else(|| prefix.clone(), |name| format!("{name}0"));
    table.range(prefix..end).map(|(_, row)| row)
}
