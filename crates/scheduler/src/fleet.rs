//! The container instances of one cluster, numbered, with the indexes that placement keeps.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::{Instance, Request};

/// Changes remembered for plans to catch up on; a plan further behind is built anew.
const MAX_CHANGES: usize = 65_536;

/// Plans kept. One is made per distinct request, so this covers the services that scale together.
const MAX_PLANS: usize = 16;

/// The container instances of one cluster.
///
/// An instance keeps its ordinal until it is removed; the ordinal may then be given to another.
/// Placement orders made for recent requests are kept and brought up to date by what changed since,
/// which makes repeated small calls as cheap as one large call. They never change a result.
#[derive(Debug, Default)]
pub struct Fleet {
    instances: Vec<Option<Instance>>,
    ordinals: BTreeMap<String, usize>,
    vacant: BTreeSet<usize>,
    /// Rises when instances come, go or change attributes: what plans are laid out by.
    layout: u64,
    /// Ordinals whose instance changed otherwise, oldest first, from position `changes_start`.
    changes: Vec<usize>,
    changes_start: usize,
    /// Most recently used last.
    plans: Vec<Plan>,
}

impl FromIterator<Instance> for Fleet {
    fn from_iter<I: IntoIterator<Item = Instance>>(instances: I) -> Self {
        let mut fleet = Self::default();
        for instance in instances {
            fleet.upsert(instance);
        }
        fleet
    }
}

impl Fleet {
    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.ordinals.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordinals.is_empty()
    }

    /// The instance with this ordinal.
    pub fn get(&self, ordinal: usize) -> Option<&Instance> {
        self.instances.get(ordinal).and_then(Option::as_ref)
    }

    /// The ordinal of the instance with this id.
    pub fn ordinal_of(&self, id: &str) -> Option<usize> {
        self.ordinals.get(id).copied()
    }

    /// All instances by ordinal.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Instance)> {
        self.instances
            .iter()
            .enumerate()
            .filter_map(|(ordinal, instance)| Some((ordinal, instance.as_ref()?)))
    }

    /// Adds an instance, or replaces the one with the same id. Returns its ordinal.
    pub fn upsert(&mut self, instance: Instance) -> usize {
        if let Some(ordinal) = self.ordinal_of(&instance.id) {
            if let Some(slot) = self.instances.get_mut(ordinal) {
                if slot.as_ref().is_some_and(|old| old.attributes != instance.attributes) {
                    self.layout += 1;
                }
                *slot = Some(instance);
            }
            self.note_change(ordinal);
            return ordinal;
        }
        self.layout += 1;
        let ordinal = self.vacant.pop_first().unwrap_or(self.instances.len());
        self.ordinals.insert(instance.id.clone(), ordinal);
        match self.instances.get_mut(ordinal) {
            Some(slot) => *slot = Some(instance),
            None => self.instances.push(Some(instance)),
        }
        ordinal
    }

    /// Removes an instance and returns it.
    pub fn remove(&mut self, id: &str) -> Option<Instance> {
        let ordinal = self.ordinals.remove(id)?;
        self.layout += 1;
        self.vacant.insert(ordinal);
        self.instances.get_mut(ordinal)?.take()
    }

    /// Takes what one task of `request` needs from the instance. Does not ask whether it fits:
    /// see [`refusal`](crate::refusal). An unknown ordinal changes nothing.
    pub fn assume(&mut self, ordinal: usize, request: &Request) {
        let Some(instance) = self.instances.get_mut(ordinal).and_then(Option::as_mut) else {
            return;
        };
        instance.remaining = instance.remaining.less(request.resources);
        instance.used_host_ports.extend(&request.host_ports);
        instance.running_tasks = instance.running_tasks.saturating_add(1);
        match instance.tasks_by_group.get_mut(&request.group) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                instance.tasks_by_group.insert(request.group.clone(), 1);
            }
        }
        self.note_change(ordinal);
    }

    /// Gives back what one task of `request` had: the opposite of [`Fleet::assume`].
    pub fn release(&mut self, ordinal: usize, request: &Request) {
        let Some(instance) = self.instances.get_mut(ordinal).and_then(Option::as_mut) else {
            return;
        };
        instance.remaining = instance.remaining.plus_within(request.resources, instance.total);
        instance.used_host_ports.retain(|port| !request.host_ports.contains(port));
        instance.running_tasks = instance.running_tasks.saturating_sub(1);
        if let Some(count) = instance.tasks_by_group.get_mut(&request.group) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                instance.tasks_by_group.remove(&request.group);
            }
        }
        self.note_change(ordinal);
    }

    /// One more than the highest ordinal in use so far.
    pub(crate) fn ordinals_end(&self) -> usize {
        self.instances.len()
    }

    pub(crate) fn layout(&self) -> u64 {
        self.layout
    }

    /// The position after the last change.
    pub(crate) fn changes_end(&self) -> usize {
        self.changes_start + self.changes.len()
    }

    /// What changed since `position`, or `None` when that is no longer known.
    pub(crate) fn changes_since(&self, position: usize) -> Option<&[usize]> {
        self.changes.get(position.checked_sub(self.changes_start)?..)
    }

    /// The plan for this request, up to date. Give it back with [`Fleet::keep_plan`].
    pub(crate) fn take_plan(&mut self, request: &Request) -> Plan {
        let kept = self.plans.iter().position(|plan| plan.request() == request);
        match kept.map(|index| self.plans.remove(index)) {
            Some(mut plan) => {
                plan.catch_up(self);
                plan
            }
            None => Plan::new(self, request.clone()),
        }
    }

    pub(crate) fn keep_plan(&mut self, plan: Plan) {
        if self.plans.len() >= MAX_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(plan);
    }

    fn note_change(&mut self, ordinal: usize) {
        if self.changes.len() >= MAX_CHANGES {
            self.changes_start += self.changes.len();
            self.changes.clear();
        }
        self.changes.push(ordinal);
    }
}
