//! Every `memberOf` expression holds for the instance.

use super::{Filter, listed};
use crate::{Constraint, Instance, Query, Request};

#[derive(Debug)]
pub(super) struct MemberOf;

fn queries(request: &Request) -> impl Iterator<Item = &Query> {
    request.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::MemberOf(query) => Some(query),
        Constraint::DistinctInstance => None,
    })
}

impl Filter for MemberOf {
    fn name(&self) -> &'static str {
        "memberOf expression"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        queries(request).all(|query| query.matches(instance))
    }

    fn reason(&self, _request: &Request) -> String {
        "MemberOf placement constraint unsatisfied.".to_owned()
    }

    fn detail(&self, instance: &Instance, request: &Request) -> String {
        let unmet = queries(request)
            .filter(|query| !query.matches(instance))
            .map(|query| format!("`{}`", query.as_str()));
        format!("the container instance does not match the expression {}", listed(unmet))
    }
}
