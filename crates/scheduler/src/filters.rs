//! Filters that explain: each decides for one reason only, and words its own refusal.
//!
//! The order is from what an instance is to what is left on it, so that an instance of the wrong
//! kind is not counted as one that is merely full.

mod agent;
mod attributes;
mod cpu;
mod distinct_instance;
mod gpu;
mod launch_type;
mod member_of;
mod memory;
mod ports;

use std::fmt;

use crate::{Instance, Request};

/// One reason to refuse an instance.
pub(crate) trait Filter: fmt::Debug + Sync {
    /// What the filter is called in explanations: `cpu`, `memberOf expression`.
    fn name(&self) -> &'static str;

    /// Whether the instance may run the task, as far as this filter cares. Called for every
    /// instance, so it allocates nothing.
    fn passes(&self, instance: &Instance, request: &Request) -> bool;

    /// The `reason` in `failures[]`, in ECS's words. Asked only of an instance that was refused.
    fn reason(&self, request: &Request) -> String;

    /// What was asked, what is there, and what to do about it; one line.
    fn detail(&self, instance: &Instance, request: &Request) -> String;

    /// What follows "The closest matching container-instance ID" in a service event, without the
    /// full stop.
    fn event_clause(&self, request: &Request) -> String {
        format!("encountered error \"{}\"", self.reason(request))
    }

    /// How far the instance is from passing: thousandths of what was asked that are missing.
    fn shortfall_permille(&self, _instance: &Instance, _request: &Request) -> u64 {
        1000
    }
}

/// All filters, in the order they are applied.
pub(crate) static FILTERS: [&dyn Filter; 9] = [
    &agent::Agent,
    &launch_type::OffersLaunchType,
    &attributes::RequiredAttributes,
    &member_of::MemberOf,
    &distinct_instance::DistinctInstance,
    &cpu::Cpu,
    &memory::Memory,
    &gpu::Gpu,
    &ports::HostPorts,
];

/// Whether every filter passes.
pub(crate) fn fits(instance: &Instance, request: &Request) -> bool {
    FILTERS.iter().all(|filter| filter.passes(instance, request))
}

/// Missing thousandths of an amount.
fn missing_permille(asked: u32, left: u32) -> u64 {
    u64::from(asked.saturating_sub(left)) * 1000 / u64::from(asked.max(1))
}

/// `a`, `b` and `c`, as a list for a sentence.
fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
