//! REPLICA services: hold the desired count, between the floor and the ceiling.

use domain::Task;
use scheduler::StopCandidate;

use crate::service::{Planner, StopReason};
use crate::tally::{Member, Standing, Tally};
use crate::throttle::seed;

/// Starts and stops for one step.
///
/// New tasks start while there is room below the ceiling. Tasks that are being replaced (of older
/// deployments, on draining instances, unhealthy) stop as new ones become healthy; where there is
/// no room, they stop first, as far as the floor allows.
pub(crate) fn step(planner: &mut Planner<'_, '_>, tally: &Tally<'_>) {
    let service = &planner.service;
    let desired = to_usize(service.desired_count);
    let ceiling = to_usize(service.task_ceiling()).max(usize::from(desired > 0));
    let floor = to_usize(service.healthy_floor());
    let kept = tally.kept().count();
    let kept_healthy = tally.kept().filter(|member| member.standing == Standing::Healthy).count();

    let missing = desired.saturating_sub(kept);
    let room = ceiling.saturating_sub(tally.live());
    let may_start = planner.may_start();
    if may_start && missing > 0 && room > 0 {
        planner.start(missing.min(room));
    }

    // Those that replace are healthy: what they replace may go. Not before the floor allows.
    let needed = desired.saturating_sub(kept_healthy);
    let replaceable = ordered_for_stopping(tally);
    let surplus = replaceable.len().saturating_sub(needed);
    // No room for the new: the old make it, down to the floor.
    let making_room = if may_start && missing > 0 && room == 0 { missing } else { 0 };
    let mut spare = tally.healthy().saturating_sub(floor);
    let mut stopped = 0_usize;
    for member in replaceable {
        let healthy = member.standing == Standing::Healthy;
        let wanted = stopped < surplus.max(making_room) || goes_at_once(planner, &member);
        if !wanted || (healthy && (spare == 0 || planner.is_protected(member.task))) {
            continue;
        }
        if healthy {
            spare -= 1;
        }
        stopped += 1;
        planner.stop(member.task, reason(&member));
    }
    if making_room > 0 && stopped == 0 && tally.stopping == 0 {
        planner.deadlocked();
    }
    if kept > desired {
        scale_in(planner, tally, kept - desired);
    }
}

/// An unhealthy task of a deployment under way has nothing to lose and hides a failure; a PENDING
/// task on a draining instance stops at once.
fn goes_at_once(planner: &Planner<'_, '_>, member: &Member<'_>) -> bool {
    let unhealthy = member.standing == Standing::Unhealthy;
    let pending_on_draining = member.draining && member.task.started_at.is_none();
    (unhealthy && (!member.primary || planner.rolling_out() || !planner.may_start()))
        || pending_on_draining
}

/// Those that are of least use first: unhealthy, not running, then the oldest.
fn ordered_for_stopping<'a>(tally: &Tally<'a>) -> Vec<Member<'a>> {
    let mut members: Vec<Member<'a>> = tally.replaceable().copied().collect();
    members.sort_by_key(|member| {
        let use_of_it = match member.standing {
            Standing::Unhealthy => 0,
            Standing::Rising => 1,
            Standing::Healthy => 2,
        };
        (use_of_it, member.task.created_at, member.task.id.clone())
    });
    members
}

fn reason(member: &Member<'_>) -> StopReason {
    if member.standing == Standing::Unhealthy { StopReason::Unhealthy } else { StopReason::Scaling }
}

/// Too many tasks of the primary deployment: those not running yet go first, then as the
/// placement strategies say.
fn scale_in(planner: &mut Planner<'_, '_>, tally: &Tally<'_>, count: usize) {
    let (running, rising): (Vec<&Task>, Vec<&Task>) = {
        let kept = || tally.kept().map(|member| member.task);
        (
            kept().filter(|task| task.started_at.is_some()).collect(),
            kept().filter(|task| task.started_at.is_none()).collect(),
        )
    };
    let mut left = count;
    for task in rising.into_iter().rev().take(count) {
        planner.stop(task, StopReason::Scaling);
        left -= 1;
    }
    let candidates: Vec<StopCandidate> = running
        .iter()
        .map(|task| StopCandidate {
            instance: planner.fleet.ordinal_of(&task.container_instance),
            cpu_units: task.reserved_cpu_units,
            memory_mib: task.reserved_memory_mib,
            may_stop: !planner.is_protected(task),
        })
        .collect();
    let strategies = planner.strategies();
    let seed = seed(&planner.service.name);
    let chosen = scheduler::choose_to_stop(&planner.fleet, &candidates, &strategies, left, seed);
    if chosen.len() < left {
        planner.protected_from_scale_in();
    }
    for index in chosen {
        if let Some(task) = running.get(index) {
            planner.stop(task, StopReason::Scaling);
        }
    }
}

pub(crate) fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
