//! DAEMON services: one task on each active instance that fits.

use std::collections::{BTreeMap, BTreeSet};

use domain::TaskStatus;
use scheduler::Request;

use crate::service::{Planner, StopReason};
use crate::tally::{Member, Standing, Tally};

/// Starts and stops for one step. The maximum is fixed at 100 percent: on an instance the old task
/// stops before the new one starts, as far as the floor allows.
pub(crate) fn step(planner: &mut Planner<'_, '_>, tally: &Tally<'_>) {
    let Some(request) = planner.request() else { return };
    let mut by_instance: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in &tally.active {
        by_instance.entry(&member.task.container_instance).or_default().push(member);
    }
    let occupied: BTreeSet<&str> = planner
        .snapshot
        .tasks
        .iter()
        .filter(|task| task.last_status != TaskStatus::Stopped)
        .map(|task| task.container_instance.as_str())
        .collect();
    let eligible = eligible(planner, &request, &occupied);
    let floor = floor(planner, eligible.len());
    let mut spare = tally.healthy().saturating_sub(floor);
    let mut held_back = false;

    for (instance, members) in &by_instance {
        let wanted_here = eligible.contains(*instance);
        let mut kept_one = false;
        for member in members {
            if wanted_here && member.kept() && !kept_one {
                kept_one = true;
                continue;
            }
            if member.draining && has_replicas(planner, instance) {
                continue;
            }
            let unhealthy = member.standing == Standing::Unhealthy;
            if wanted_here && !unhealthy {
                if !planner.may_start() {
                    continue;
                }
                if member.standing == Standing::Healthy {
                    if spare == 0 {
                        held_back = true;
                        continue;
                    }
                    spare -= 1;
                }
            }
            let reason = if unhealthy { StopReason::Unhealthy } else { StopReason::Scaling };
            planner.stop(member.task, reason);
        }
    }
    if planner.may_start() {
        for instance in &eligible {
            if !occupied.contains(instance.as_str()) {
                planner.start_on(instance);
            }
        }
    }
    let waiting = tally.active.iter().any(|member| member.standing == Standing::Rising);
    if held_back && planner.is_idle() && !waiting && tally.stopping == 0 {
        planner.deadlocked();
    }
    planner.set_desired_count(eligible.len());
}

/// Whether a REPLICA service still has a task on the instance: daemons stop after those.
fn has_replicas(planner: &Planner<'_, '_>, instance: &str) -> bool {
    planner.snapshot.tasks_on_instances.iter().any(|task| {
        task.container_instance == instance
            && task.service.is_some()
            && !task.daemon
            && task.last_status != TaskStatus::Stopped
    })
}

/// Instances that have a task of the service already, or could take one, and are ACTIVE.
fn eligible(
    planner: &Planner<'_, '_>,
    request: &Request,
    occupied: &BTreeSet<&str>,
) -> BTreeSet<String> {
    planner
        .fleet
        .iter()
        .filter(|(ordinal, instance)| {
            if instance.status != scheduler::InstanceStatus::Active {
                return false;
            }
            let has_one = occupied.contains(instance.id.as_str());
            // A daemon's own resources are reserved for it: what it holds, or held until its
            // successor starts, already fits.
            let constraints_hold = request.constraints.iter().all(|constraint| match constraint {
                scheduler::Constraint::MemberOf(query) => query.matches(instance),
                scheduler::Constraint::DistinctInstance => true,
            });
            constraints_hold
                && (has_one || scheduler::refusal(&planner.fleet, *ordinal, request).is_none())
        })
        .map(|(_, instance)| instance.id.clone())
        .collect()
}

fn floor(planner: &Planner<'_, '_>, eligible: usize) -> usize {
    let percent = planner.service.deployment_configuration.minimum_healthy_percent;
    let percent = usize::try_from(percent).unwrap_or(100);
    eligible.saturating_mul(percent).div_ceil(100)
}
