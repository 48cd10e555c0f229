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
/// no room, below the ceiling or on the instances, they stop first, as far as the floor allows.
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
    let mut unplaced = 0;
    if may_start && missing > 0 && room > 0 {
        unplaced = planner.start(missing.min(room));
    }

    // Those that replace are healthy: what they replace may go. Not before the floor allows.
    let needed = desired.saturating_sub(kept_healthy);
    let replaceable = ordered_for_stopping(tally);
    let surplus = replaceable.len().saturating_sub(needed);
    // No room for the new, below the ceiling or on the instances: the old make it, down to the
    // floor. What is stopping already makes room too.
    let crowded = may_start && room == 0;
    let making_room = if crowded { missing } else { unplaced }.saturating_sub(tally.stopping);
    let mut spare = tally.healthy().saturating_sub(floor);
    let mut stopped = 0_usize;
    let mut protected = false;
    for member in replaceable {
        let healthy = member.standing == Standing::Healthy;
        let wanted = stopped < surplus.max(making_room) || goes_at_once(planner, &member);
        if !wanted {
            continue;
        }
        if healthy && planner.is_protected(member.task) {
            protected = true;
            continue;
        }
        if healthy {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        stopped += 1;
        planner.stop(member.task, reason(&member));
    }
    let waiting = tally.active.iter().any(|member| member.standing == Standing::Rising);
    let making_room = making_room > 0 && tally.stopping == 0;
    if crowded && making_room && stopped == 0 && !waiting && !protected {
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

/// Too many tasks of the primary deployment: those not running yet go first, then those not healthy
/// yet, then as the placement strategies say. As many healthy ones stay as are desired.
fn scale_in(planner: &mut Planner<'_, '_>, tally: &Tally<'_>, count: usize) {
    let use_of_it = |member: &Member<'_>| match (member.task.started_at, member.standing) {
        (_, Standing::Healthy) => 2,
        (Some(_), _) => 1,
        (None, _) => 0,
    };
    let mut left = count;
    for stage in 0..=2 {
        let tasks: Vec<&Task> = tally
            .kept()
            .filter(|member| use_of_it(member) == stage)
            .map(|member| member.task)
            .collect();
        // A protected task that is not healthy yet does not stand for a healthy one.
        let spare = tasks.len().saturating_sub(to_usize(planner.service.desired_count));
        let most = if stage == 2 { left.min(spare) } else { left };
        let chosen = choose(planner, &tasks, most);
        left -= chosen.len();
        for task in chosen {
            planner.stop(task, StopReason::Scaling);
        }
    }
    if left > 0 {
        planner.protected_from_scale_in();
    }
}

/// At most `count` of `tasks`, protected ones never.
fn choose<'t>(planner: &Planner<'_, '_>, tasks: &[&'t Task], count: usize) -> Vec<&'t Task> {
    let candidates: Vec<StopCandidate> = tasks
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
    let chosen = scheduler::choose_to_stop(&planner.fleet, &candidates, &strategies, count, seed);
    chosen.into_iter().filter_map(|index| tasks.get(index).copied()).collect()
}

pub(crate) fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
