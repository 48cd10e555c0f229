//! Which tasks to stop when there are too many.

use std::collections::{BTreeMap, BTreeSet};

use crate::Fleet;
use crate::random::Random;
use crate::request::{MAX_STRATEGIES, SpreadField, Strategies, Strategy};

/// A task of the service that is scaled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopCandidate {
    /// The ordinal of its instance; `None` while it has none.
    pub instance: Option<usize>,
    /// CPU units that stopping it gives back.
    pub cpu_units: u32,
    /// Memory in MiB that stopping it gives back.
    pub memory_mib: u32,
    /// Whether it may be stopped. A protected task counts for the balance but stays.
    pub may_stop: bool,
}

/// Chooses `count` tasks to stop, as indexes into `tasks`, in the order of choice; fewer when fewer
/// may be stopped.
///
/// Tasks without an instance go first. Then the strategies are followed backwards: spread takes
/// from the domain or instance that has the most of `tasks`, binpack takes the task whose instance
/// would have the most left without it, random and remaining ties are drawn from `seed`. Without
/// strategies: the zone with the most, then the instance with the most.
pub fn choose_to_stop(
    fleet: &Fleet,
    tasks: &[StopCandidate],
    strategies: &Strategies,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut balance = Balance::new(fleet, tasks, strategies);
    let mut left: BTreeSet<usize> = tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| task.may_stop)
        .map(|(index, _)| index)
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let mut best: Vec<usize> = Vec::new();
        let mut best_weight = None;
        for index in &left {
            let weight = tasks.get(*index).map(|task| balance.weight(*index, task));
            if weight > best_weight {
                best_weight = weight;
                best.clear();
            }
            if weight == best_weight {
                best.push(*index);
            }
        }
        let Some(index) = best.get(random.below(best.len())).copied() else { break };
        left.remove(&index);
        if let Some(task) = tasks.get(index) {
            balance.remove(index, task);
        }
        chosen.push(index);
    }
    chosen
}

/// Higher is stopped first, at the first difference.
type Weight = (bool, [u64; MAX_STRATEGIES]);

/// What one strategy looks at for one task.
#[derive(Debug)]
enum Term {
    /// Tasks in the numbered domain.
    Domain(usize),
    /// Tasks on the instance.
    Instance,
    /// CPU left on the instance afterwards.
    Cpu,
    /// Memory left on the instance afterwards.
    Memory,
}

/// How the tasks that are not chosen yet lie on the fleet.
#[derive(Debug)]
struct Balance {
    /// By task; `None` for a task without an instance.
    terms: Vec<Option<Vec<Term>>>,
    /// Tasks by domain.
    domains: Vec<u64>,
    instances: BTreeMap<usize, Load>,
}

/// One instance: its part of the tasks not chosen yet, and what is left on it.
#[derive(Debug)]
struct Load {
    tasks: u64,
    cpu_units: u64,
    memory_mib: u64,
}

impl Balance {
    fn new(fleet: &Fleet, tasks: &[StopCandidate], strategies: &Strategies) -> Self {
        let mut strategies = strategies.effective();
        if let Some(random) = strategies.iter().position(|strategy| *strategy == Strategy::Random) {
            strategies.truncate(random);
        }
        let mut balance =
            Self { terms: Vec::new(), domains: Vec::new(), instances: BTreeMap::new() };
        let mut numbers = BTreeMap::new();
        for task in tasks {
            let located = task.instance.and_then(|ordinal| Some((ordinal, fleet.get(ordinal)?)));
            let terms = located.map(|(ordinal, instance)| {
                let load = balance.instances.entry(ordinal).or_insert_with(|| Load {
                    tasks: 0,
                    cpu_units: instance.remaining.cpu_units.into(),
                    memory_mib: instance.remaining.memory_mib.into(),
                });
                load.tasks += 1;
                let terms = strategies.iter().enumerate().filter_map(|(index, strategy)| {
                    Some(match strategy {
                        Strategy::Random => return None,
                        Strategy::Spread(SpreadField::Instance) => Term::Instance,
                        Strategy::Spread(SpreadField::Attribute(name)) => {
                            let next = numbers.len();
                            let key = (index, instance.attribute(name));
                            Term::Domain(*numbers.entry(key).or_insert(next))
                        }
                        Strategy::BinpackCpu => Term::Cpu,
                        Strategy::BinpackMemory => Term::Memory,
                    })
                });
                terms.collect()
            });
            balance.terms.push(terms);
        }
        balance.domains.resize(numbers.len(), 0);
        for term in balance.terms.iter().flatten().flatten() {
            if let Term::Domain(domain) = term
                && let Some(count) = balance.domains.get_mut(*domain)
            {
                *count += 1;
            }
        }
        balance
    }

    fn remove(&mut self, index: usize, task: &StopCandidate) {
        for term in self.terms.get(index).into_iter().flatten().flatten() {
            if let Term::Domain(domain) = term
                && let Some(count) = self.domains.get_mut(*domain)
            {
                *count -= 1;
            }
        }
        if let Some(load) = task.instance.and_then(|ordinal| self.instances.get_mut(&ordinal)) {
            load.tasks -= 1;
            load.cpu_units += u64::from(task.cpu_units);
            load.memory_mib += u64::from(task.memory_mib);
        }
    }

    fn weight(&self, index: usize, task: &StopCandidate) -> Weight {
        let mut weight = [0; MAX_STRATEGIES];
        let load = task.instance.and_then(|ordinal| self.instances.get(&ordinal));
        let (Some(Some(terms)), Some(load)) = (self.terms.get(index), load) else {
            return (true, weight);
        };
        for (position, term) in weight.iter_mut().zip(terms) {
            *position = match term {
                Term::Domain(domain) => self.domains.get(*domain).copied().unwrap_or(0),
                Term::Instance => load.tasks,
                Term::Cpu => load.cpu_units + u64::from(task.cpu_units),
                Term::Memory => load.memory_mib + u64::from(task.memory_mib),
            };
        }
        (false, weight)
    }
}
