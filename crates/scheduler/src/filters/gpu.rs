//! Enough GPUs are left on the instance.

use super::{Filter, missing_permille};
use crate::{Instance, Request};

#[derive(Debug)]
pub(super) struct Gpu;

impl Filter for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        request.resources.gpus <= instance.remaining.gpus
    }

    fn reason(&self, _request: &Request) -> String {
        "RESOURCE:GPU".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        format!(
            "the task needs {} GPUs, {} of {} are left",
            request.resources.gpus, instance.remaining.gpus, instance.total.gpus
        )
    }

    fn event_clause(&self, _request: &Request) -> String {
        "has insufficient GPU resource available".to_owned()
    }

    fn shortfall_permille(&self, instance: &Instance, request: &Request) -> u64 {
        missing_permille(request.resources.gpus, instance.remaining.gpus)
    }
}
