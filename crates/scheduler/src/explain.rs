//! Why nothing fits: failures for RunTask, counts for people, a sentence for service events.

use crate::filters::{FILTERS, Filter};
use crate::{Fleet, Instance, Request};

/// One instance that refused, as an entry of `failures[]` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The instance's ordinal.
    pub ordinal: usize,
    /// The container instance's id; the caller makes the ARN.
    pub instance_id: String,
    /// ECS's reason: `RESOURCE:CPU`, `RESOURCE:MEMORY`, `RESOURCE:GPU`, `RESOURCE:PORTS`,
    /// `ATTRIBUTE`, `AGENT`, `MemberOf placement constraint unsatisfied.`, `DistinctInstance
    /// placement constraint unsatisfied.`, or our own `LAUNCHTYPE:…`.
    pub reason: String,
    /// What was asked, what is there, and what to do; one line for people.
    pub detail: String,
}

/// The instance that came closest: refused by the fewest filters, then by the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closest {
    /// Its ordinal.
    pub ordinal: usize,
    /// Its container instance id.
    pub instance_id: String,
    /// Names of all filters that refuse it, in filter order.
    pub refused_by: Vec<&'static str>,
    /// The first filter's words for people.
    pub detail: String,
    /// What a service event says about it after its id, without the full stop.
    pub event_clause: String,
}

/// All refusals of one request, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// Instances there are. Zero means that the cluster has none.
    pub instances: usize,
    /// Refusals by the name of the first filter that refused, most first. The counts add up to the
    /// number of instances that refused.
    pub by_filter: Vec<(&'static str, usize)>,
    /// The closest instance, when any refused.
    pub closest: Option<Closest>,
}

/// Why this instance cannot run one task of the request, or `None` when it can. For StartTask and
/// DAEMON services, where the instance is given.
pub fn refusal(fleet: &Fleet, ordinal: usize, request: &Request) -> Option<Failure> {
    let instance = fleet.get(ordinal)?;
    let filter = first_refusing(instance, request)?;
    Some(failure(ordinal, instance, request, filter))
}

/// The refusals of all instances, in ordinal order, at most `limit`.
pub(crate) fn failures(fleet: &Fleet, request: &Request, limit: usize) -> Vec<Failure> {
    fleet
        .iter()
        .filter_map(|(ordinal, instance)| {
            let filter = first_refusing(instance, request)?;
            Some(failure(ordinal, instance, request, filter))
        })
        .take(limit)
        .collect()
}

fn first_refusing(instance: &Instance, request: &Request) -> Option<&'static dyn Filter> {
    FILTERS.into_iter().find(|filter| !filter.passes(instance, request))
}

fn failure(
    ordinal: usize,
    instance: &Instance,
    request: &Request,
    filter: &'static dyn Filter,
) -> Failure {
    Failure {
        ordinal,
        instance_id: instance.id.clone(),
        reason: filter.reason(request),
        detail: filter.detail(instance, request),
    }
}

impl Refusals {
    /// Counts the refusals of the whole fleet.
    pub fn of(fleet: &Fleet, request: &Request) -> Self {
        let mut counts = [0_usize; FILTERS.len()];
        let mut closest: Option<((usize, u64, usize), &Instance)> = None;
        for (ordinal, instance) in fleet.iter() {
            let mut refusing = 0;
            let mut shortfall_permille = 0;
            for (filter, count) in FILTERS.iter().zip(&mut counts) {
                if !filter.passes(instance, request) {
                    *count += usize::from(refusing == 0);
                    refusing += 1;
                    shortfall_permille += filter.shortfall_permille(instance, request);
                }
            }
            let distance = (refusing, shortfall_permille, ordinal);
            if refusing > 0 && closest.is_none_or(|(nearest, _)| distance < nearest) {
                closest = Some((distance, instance));
            }
        }
        let mut by_filter: Vec<_> = FILTERS
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(filter, count)| (filter.name(), count))
            .collect();
        by_filter.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let closest = closest.and_then(|((_, _, ordinal), instance)| {
            let filter = first_refusing(instance, request)?;
            Some(Closest {
                ordinal,
                instance_id: instance.id.clone(),
                refused_by: FILTERS
                    .iter()
                    .filter(|filter| !filter.passes(instance, request))
                    .map(|filter| filter.name())
                    .collect(),
                detail: filter.detail(instance, request),
                event_clause: filter.event_clause(request),
            })
        });
        Self { instances: fleet.len(), by_filter, closest }
    }

    /// The counts in words: `3 of 5 instances refused by cpu, 2 by memberOf expression`.
    pub fn explain(&self) -> String {
        if self.instances == 0 {
            return "the cluster has no container instances".to_owned();
        }
        let mut text = String::new();
        for (index, (filter, count)) in self.by_filter.iter().enumerate() {
            text += &if index == 0 {
                format!("{count} of {} instances refused by {filter}", self.instances)
            } else {
                format!(", {count} by {filter}")
            };
        }
        if text.is_empty() { format!("all {} instances fit", self.instances) } else { text }
    }

    /// What a service event says after `was unable to place a task because `, in ECS's words.
    pub fn event_reason(&self) -> String {
        let general = "no container instance met all of its requirements.";
        match &self.closest {
            None => general.to_owned(),
            Some(Closest { instance_id, event_clause, .. }) => format!(
                "{general} The closest matching container-instance {instance_id} {event_clause}."
            ),
        }
    }
}
