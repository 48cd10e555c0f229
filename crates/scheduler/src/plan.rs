//! The instances that fit one request, kept in the order its strategies want.
//!
//! Instances are grouped into *cells*: one per combination of values of the attributes that tasks
//! are spread over. What such an attribute adds to an instance's rank (tasks of the group in its
//! domain) is the same for the whole cell, everything else is the instance's own. So a cell keeps
//! its instances sorted by their own ranks, and stands for them with its best.
//!
//! The same holds one level up: the cells of one domain of the *coarsest* of these attributes (the
//! one with the fewest values: zones, say) form a group, sorted without regard to what that domain
//! adds, and the groups are sorted by their best. A placement changes one instance, and so re-ranks
//! one cell, one group, and the few other cells that share a domain of a finer attribute.

use std::collections::{BTreeMap, BTreeSet};

use crate::filters;
use crate::random::Random;
use crate::request::{MAX_STRATEGIES, Request, SpreadField, Strategy};
use crate::{Fleet, Instance, InstanceStatus};

/// Equally good groups, and cells of a group, among which chance decides; bounds the work of one
/// placement.
const MAX_TIED: usize = 16;

/// Every strategy, and the total load as a tie-break. Lower is better at the first difference.
type Rank = [u64; MAX_STRATEGIES + 1];

/// What one position of a [`Rank`] holds.
#[derive(Debug, Clone, Copy)]
enum Criterion {
    /// Tasks of the group in the domain of the numbered spread attribute.
    Domain(usize),
    /// Tasks of the group on the instance.
    GroupTasks,
    /// CPU left.
    Cpu,
    /// Memory left.
    Memory,
    /// All tasks on the instance.
    Tasks,
}

/// Where one instance stands.
#[derive(Debug)]
struct Place {
    cell: usize,
    /// Tasks of the group that the domains' counts include for this instance.
    counted: u64,
    /// The instance's own rank when it fits; positions of domains are zero.
    own: Option<Rank>,
}

#[derive(Debug)]
struct Cell {
    /// The domain in each spread attribute.
    domains: Vec<usize>,
    /// The domain in the coarsest attribute.
    group: usize,
    /// Ordinals by own rank, sorted, never empty.
    instances: BTreeMap<Rank, Vec<usize>>,
    /// The key under which the cell stands in its group.
    listed: Option<Rank>,
}

/// The cells that share a domain of the coarsest attribute; all cells when there is none.
#[derive(Debug, Default)]
struct Group {
    /// Cells with at least one instance that fits, best first. The coarsest attribute's position
    /// is zero.
    order: BTreeSet<(Rank, usize)>,
    /// The key under which the group stands in the plan.
    listed: Option<Rank>,
}

/// One domain: a value of a spread attribute.
#[derive(Debug, Default)]
struct Domain {
    /// Tasks of the group in it.
    tasks: u64,
    /// The cells that lie in it.
    cells: Vec<usize>,
}

/// The placement order for one request over one fleet.
#[derive(Debug)]
pub(crate) struct Plan {
    request: Request,
    criteria: Vec<Criterion>,
    layout: u64,
    changes_seen: usize,
    places: Vec<Option<Place>>,
    cells: Vec<Cell>,
    /// By spread attribute, then by domain.
    domains: Vec<Vec<Domain>>,
    /// The spread attribute with the fewest domains.
    coarsest: Option<usize>,
    groups: Vec<Group>,
    /// Groups with at least one instance that fits, best first, by full rank.
    order: BTreeSet<(Rank, usize)>,
}

impl Plan {
    pub(crate) fn new(fleet: &Fleet, request: Request) -> Self {
        let (criteria, attributes) = criteria(&request);
        let mut plan = Self {
            criteria,
            layout: fleet.layout(),
            changes_seen: fleet.changes_end(),
            places: Vec::new(),
            cells: Vec::new(),
            domains: Vec::new(),
            coarsest: None,
            groups: Vec::new(),
            order: BTreeSet::new(),
            request,
        };
        plan.lay_out(fleet, &attributes);
        for (ordinal, instance) in fleet.iter() {
            plan.settle(ordinal, instance);
        }
        for cell in 0..plan.cells.len() {
            plan.relist(cell);
        }
        plan
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// Takes in what changed in the fleet since the plan was last used.
    pub(crate) fn catch_up(&mut self, fleet: &Fleet) {
        let changes = fleet.changes_since(self.changes_seen);
        match changes {
            Some(changes) if self.layout == fleet.layout() && changes.len() <= fleet.len() => {
                for ordinal in changes {
                    self.refresh(fleet, *ordinal);
                }
                self.changes_seen = fleet.changes_end();
            }
            Some(_) | None => *self = Self::new(fleet, self.request.clone()),
        }
    }

    /// Takes in the last change of the fleet, which was to this instance.
    pub(crate) fn follow(&mut self, fleet: &Fleet, ordinal: usize) {
        self.refresh(fleet, ordinal);
        self.changes_seen = fleet.changes_end();
    }

    /// The best instance; chance decides between equally good ones. `None` when nothing fits.
    pub(crate) fn best(&self, random: &mut Random) -> Option<usize> {
        let tied = || {
            first_tied(&self.order)
                .filter_map(|group| self.groups.get(group))
                .flat_map(|group| first_tied(&group.order))
                .take(MAX_TIED)
                .filter_map(|cell| Some(self.cells.get(cell)?.instances.first_key_value()?.1))
        };
        let mut drawn = random.below(tied().map(Vec::len).sum());
        for ordinals in tied() {
            match ordinals.get(drawn) {
                Some(ordinal) => return Some(*ordinal),
                None => drawn -= ordinals.len(),
            }
        }
        None
    }

    /// Makes the cells and domains. Numbers follow the values' order, not the fleet's history.
    fn lay_out(&mut self, fleet: &Fleet, attributes: &[String]) {
        let mut cells: BTreeMap<Vec<Option<&str>>, Vec<usize>> = BTreeMap::new();
        for (ordinal, instance) in fleet.iter() {
            let values = attributes.iter().map(|name| instance.attribute(name)).collect();
            cells.entry(values).or_default().push(ordinal);
        }
        let mut numbers: Vec<BTreeMap<Option<&str>, usize>> =
            vec![BTreeMap::new(); attributes.len()];
        self.domains.resize_with(attributes.len(), Vec::new);
        self.places.resize_with(fleet.ordinals_end(), || None);
        for (index, (values, ordinals)) in cells.into_iter().enumerate() {
            let mut cell =
                Cell { domains: vec![], group: 0, instances: BTreeMap::new(), listed: None };
            for ((value, known), domains) in
                values.into_iter().zip(&mut numbers).zip(&mut self.domains)
            {
                let next = known.len();
                let number = *known.entry(value).or_insert(next);
                if number == domains.len() {
                    domains.push(Domain::default());
                }
                if let Some(domain) = domains.get_mut(number) {
                    domain.cells.push(index);
                }
                cell.domains.push(number);
            }
            self.cells.push(cell);
            for ordinal in ordinals {
                if let Some(place) = self.places.get_mut(ordinal) {
                    *place = Some(Place { cell: index, counted: 0, own: None });
                }
            }
        }
        self.coarsest =
            (0..attributes.len()).min_by_key(|index| self.domains.get(*index).map(Vec::len));
        let groups = self.coarsest.and_then(|index| self.domains.get(index)).map_or(1, Vec::len);
        self.groups.resize_with(groups, Group::default);
        for cell in &mut self.cells {
            let group = self.coarsest.and_then(|index| cell.domains.get(index));
            cell.group = group.copied().unwrap_or(0);
        }
    }

    /// Re-reads one instance and re-ranks what depends on it.
    fn refresh(&mut self, fleet: &Fleet, ordinal: usize) {
        let Some(instance) = fleet.get(ordinal) else { return };
        let Some((cell, domains_changed)) = self.settle(ordinal, instance) else { return };
        self.relist(cell);
        if domains_changed {
            for neighbour in self.neighbours(cell) {
                self.relist(neighbour);
            }
        }
    }

    /// Puts one instance where it now belongs within its cell. Returns the cell, and whether the
    /// counts of its domains changed.
    fn settle(&mut self, ordinal: usize, instance: &Instance) -> Option<(usize, bool)> {
        let own = filters::fits(instance, &self.request).then(|| self.own_rank(instance));
        // Tasks on an instance that is leaving will be replaced: they say nothing about balance.
        let group_tasks = match instance.status {
            InstanceStatus::Active => u64::from(instance.tasks_of(&self.request.group)),
            InstanceStatus::Registering
            | InstanceStatus::RegistrationFailed
            | InstanceStatus::Draining
            | InstanceStatus::Deregistering
            | InstanceStatus::Inactive => 0,
        };
        let place = self.places.get_mut(ordinal)?.as_mut()?;
        let cell = self.cells.get_mut(place.cell)?;
        let domains_changed = group_tasks != place.counted;
        if domains_changed {
            for (domain, domains) in cell.domains.iter().zip(&mut self.domains) {
                if let Some(domain) = domains.get_mut(*domain) {
                    domain.tasks = domain.tasks + group_tasks - place.counted;
                }
            }
            place.counted = group_tasks;
        }
        if own != place.own {
            if let Some(old) = place.own {
                cell.remove(&old, ordinal);
            }
            if let Some(new) = own {
                cell.insert(new, ordinal);
            }
            place.own = own;
        }
        Some((place.cell, domains_changed))
    }

    fn own_rank(&self, instance: &Instance) -> Rank {
        let mut rank = Rank::default();
        for (position, criterion) in rank.iter_mut().zip(&self.criteria) {
            *position = match criterion {
                Criterion::Domain(_) => 0,
                Criterion::GroupTasks => u64::from(instance.tasks_of(&self.request.group)),
                Criterion::Cpu => u64::from(instance.remaining.cpu_units),
                Criterion::Memory => u64::from(instance.remaining.memory_mib),
                Criterion::Tasks => u64::from(instance.running_tasks),
            };
        }
        rank
    }

    /// Puts a cell where it now belongs in its group, and the group where it belongs in the plan.
    fn relist(&mut self, index: usize) {
        let Some(cell) = self.cells.get_mut(index) else { return };
        let Some(group) = self.groups.get_mut(cell.group) else { return };
        let mut rank = cell.instances.first_key_value().map(|(own, _)| *own);
        for (attribute, position) in domain_positions(&self.criteria, rank.as_mut()) {
            if self.coarsest != Some(attribute) {
                *position = tasks_in(&self.domains, attribute, &cell.domains);
            }
        }
        move_key(&mut group.order, &mut cell.listed, rank, index);
        let mut rank = group.order.first().map(|(inner, _)| *inner);
        for (attribute, position) in domain_positions(&self.criteria, rank.as_mut()) {
            if self.coarsest == Some(attribute) {
                *position = tasks_in(&self.domains, attribute, &cell.domains);
            }
        }
        move_key(&mut self.order, &mut group.listed, rank, cell.group);
    }

    /// The other cells that share a domain of a finer attribute with this one.
    fn neighbours(&self, index: usize) -> BTreeSet<usize> {
        let Some(cell) = self.cells.get(index) else { return BTreeSet::new() };
        let shared = cell.domains.iter().zip(&self.domains).enumerate();
        shared
            .filter(|(attribute, _)| self.coarsest != Some(*attribute))
            .filter_map(|(_, (domain, domains))| domains.get(*domain))
            .flat_map(|domain| domain.cells.iter().copied())
            .filter(|neighbour| *neighbour != index)
            .collect()
    }
}

/// The positions of a rank that belong to spread attributes, with the attributes' numbers.
fn domain_positions<'a>(
    criteria: &'a [Criterion],
    rank: Option<&'a mut Rank>,
) -> impl Iterator<Item = (usize, &'a mut u64)> {
    criteria.iter().zip(rank.into_iter().flatten()).filter_map(|(criterion, position)| {
        match criterion {
            Criterion::Domain(attribute) => Some((*attribute, position)),
            Criterion::GroupTasks | Criterion::Cpu | Criterion::Memory | Criterion::Tasks => None,
        }
    })
}

/// Tasks of the group in a cell's domain of one attribute.
fn tasks_in(domains: &[Vec<Domain>], attribute: usize, of_cell: &[usize]) -> u64 {
    let domain = of_cell.get(attribute);
    let domain = domain.and_then(|domain| domains.get(attribute)?.get(*domain));
    domain.map_or(0, |domain| domain.tasks)
}

/// Moves an entry of an order to another key; without a key it leaves the order.
fn move_key(
    order: &mut BTreeSet<(Rank, usize)>,
    listed: &mut Option<Rank>,
    key: Option<Rank>,
    index: usize,
) {
    if *listed == key {
        return;
    }
    if let Some(old) = *listed {
        order.remove(&(old, index));
    }
    if let Some(new) = key {
        order.insert((new, index));
    }
    *listed = key;
}

/// The entries that share the best rank, as far as chance looks at them.
fn first_tied(order: &BTreeSet<(Rank, usize)>) -> impl Iterator<Item = usize> {
    let best = order.first().map(|(rank, _)| rank);
    let tied = order.iter().take_while(move |(rank, _)| Some(rank) == best);
    tied.take(MAX_TIED).map(|(_, index)| *index)
}

impl Cell {
    fn insert(&mut self, own: Rank, ordinal: usize) {
        let ordinals = self.instances.entry(own).or_default();
        if let Err(index) = ordinals.binary_search(&ordinal) {
            ordinals.insert(index, ordinal);
        }
    }

    fn remove(&mut self, own: &Rank, ordinal: usize) {
        let Some(ordinals) = self.instances.get_mut(own) else { return };
        if let Ok(index) = ordinals.binary_search(&ordinal) {
            ordinals.remove(index);
        }
        if ordinals.is_empty() {
            self.instances.remove(own);
        }
    }
}

/// The criteria of a request, and the spread attributes they number.
fn criteria(request: &Request) -> (Vec<Criterion>, Vec<String>) {
    let mut criteria = Vec::new();
    let mut attributes = Vec::new();
    for strategy in request.strategies.effective() {
        criteria.push(match strategy {
            // Chance leaves no ties for what follows to break.
            Strategy::Random => return (criteria, attributes),
            Strategy::Spread(SpreadField::Instance) => Criterion::GroupTasks,
            Strategy::Spread(SpreadField::Attribute(name)) => {
                attributes.push(name);
                Criterion::Domain(attributes.len() - 1)
            }
            Strategy::BinpackCpu => Criterion::Cpu,
            Strategy::BinpackMemory => Criterion::Memory,
        });
    }
    criteria.push(Criterion::Tasks);
    (criteria, attributes)
}
