//! Enough CPU is left on the instance.

use super::{Filter, missing_permille};
use crate::{Instance, Request};

#[derive(Debug)]
pub(super) struct Cpu;

impl Filter for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        request.resources.cpu_units <= instance.remaining.cpu_units
    }

    fn reason(&self, _request: &Request) -> String {
        "RESOURCE:CPU".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        format!(
            "the task needs {} CPU units, {} of {} are left",
            request.resources.cpu_units, instance.remaining.cpu_units, instance.total.cpu_units
        )
    }

    fn event_clause(&self, _request: &Request) -> String {
        "has insufficient CPU units available".to_owned()
    }

    fn shortfall_permille(&self, instance: &Instance, request: &Request) -> u64 {
        missing_permille(request.resources.cpu_units, instance.remaining.cpu_units)
    }
}
