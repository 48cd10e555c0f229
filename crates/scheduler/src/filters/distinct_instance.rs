//! With `distinctInstance`, no other task of the group is on the instance.

use super::Filter;
use crate::{Constraint, Instance, Request};

#[derive(Debug)]
pub(super) struct DistinctInstance;

impl Filter for DistinctInstance {
    fn name(&self) -> &'static str {
        "distinctInstance"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        !request.constraints.contains(&Constraint::DistinctInstance)
            || instance.tasks_of(&request.group) == 0
    }

    fn reason(&self, _request: &Request) -> String {
        "DistinctInstance placement constraint unsatisfied.".to_owned()
    }

    fn detail(&self, _instance: &Instance, request: &Request) -> String {
        format!("the container instance already runs a task of the group `{}`", request.group)
    }
}
