//! Enough memory is left on the instance.

use super::{Filter, missing_permille};
use crate::{Instance, Request};

#[derive(Debug)]
pub(super) struct Memory;

impl Filter for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        request.resources.memory_mib <= instance.remaining.memory_mib
    }

    fn reason(&self, _request: &Request) -> String {
        "RESOURCE:MEMORY".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        format!(
            "the task needs {} MiB of memory, {} of {} are left",
            request.resources.memory_mib, instance.remaining.memory_mib, instance.total.memory_mib
        )
    }

    fn event_clause(&self, _request: &Request) -> String {
        "has insufficient memory available".to_owned()
    }

    fn shortfall_permille(&self, instance: &Instance, request: &Request) -> u64 {
        missing_permille(request.resources.memory_mib, instance.remaining.memory_mib)
    }
}
