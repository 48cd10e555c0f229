//! Placement: filter, order, choose, assume; one task after the other.

use crate::explain::{self, Failure, Refusals};
use crate::random::Random;
use crate::{Fleet, Request};

/// Failures listed at most; [`Refusals`] counts all of them.
pub const MAX_FAILURES: usize = 100;

/// What [`place()`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The instance of each placed task, as ordinals, in the order of choice.
    pub chosen: Vec<usize>,
    /// Tasks for which no instance was left.
    pub unplaced: u32,
    /// When tasks were left over: why each instance refused, in ordinal order, at most
    /// [`MAX_FAILURES`].
    pub failures: Vec<Failure>,
    /// When tasks were left over: the refusals counted, and the closest instance.
    pub refusals: Option<Refusals>,
}

/// Chooses instances for `count` tasks and takes what they need from the fleet.
///
/// Instances that a filter refuses are out; the strategies order the rest, each breaking the ties
/// of the one before it; then the instance with fewer tasks is preferred, and chance decides what
/// is still equal, drawing from `seed`. Tasks that do not fit are counted, never queued: the ones
/// that did fit stay placed. The same fleet, request, count and seed give the same placement.
///
/// One placement costs microseconds; the first call for a request, or one after instances came,
/// went or changed attributes, reads the whole fleet.
pub fn place(fleet: &mut Fleet, request: &Request, count: u32, seed: u64) -> Placement {
    let mut random = Random::new(seed);
    let mut plan = fleet.take_plan(request);
    let mut chosen = Vec::new();
    let mut unplaced = count;
    while unplaced > 0
        && let Some(ordinal) = plan.best(&mut random)
    {
        fleet.assume(ordinal, request);
        plan.follow(fleet, ordinal);
        chosen.push(ordinal);
        unplaced -= 1;
    }
    fleet.keep_plan(plan);
    let (failures, refusals) = if unplaced == 0 {
        (Vec::new(), None)
    } else {
        (explain::failures(fleet, request, MAX_FAILURES), Some(Refusals::of(fleet, request)))
    };
    Placement { chosen, unplaced, failures, refusals }
}
