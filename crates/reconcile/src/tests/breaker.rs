//! Circuit breaker, roll-back, stop requests and the throttle.

use base::Timestamp;
use domain::{HealthStatus, RolloutState, ServiceDeploymentStatus, StopCode, TaskStatus};

use super::world::World;
use crate::{BREAKER_ROLLBACK_REASON, start_delay_ms};

/// Starts what the plan says and lets `count` of it fail to start.
fn fail_starts(world: &mut World, count: usize) {
    let mut failed = 0;
    while failed < count {
        let plan = world.step();
        for task in plan.start.iter().take(count - failed) {
            world.end(&task.id);
            failed += 1;
        }
        if plan.start.is_empty() {
            world.now = plan.wake_at.unwrap();
        }
    }
}

#[test]
fn the_breaker_opens_at_its_threshold_and_not_before() {
    let mut world = World::new(2, 100, 200).with_breaker(false, 3);
    fail_starts(&mut world, 2);
    world.step();
    assert_eq!(world.primary().rollout_state, RolloutState::InProgress);
    assert_eq!(world.primary().failed_tasks, 2);
    fail_starts(&mut world, 1);
    world.step();
    assert_eq!(world.primary().rollout_state, RolloutState::Failed);
    assert_eq!(
        world.primary().rollout_state_reason,
        "ECS deployment circuit breaker: tasks failed to start."
    );
    assert_eq!(world.record_status(0), ServiceDeploymentStatus::Stopped);
    world.pass(100_000);
    assert_eq!(world.step().start, [], "a failed deployment starts nothing more");
}

#[test]
fn a_failed_deployment_goes_back_to_the_last_completed_one() {
    let mut world = World::settled(2, 100, 200).with_breaker(true, 3);
    let survivors = world.live_ids();
    world.deploy(2);
    fail_starts(&mut world, 3);
    world.step();
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::RollbackInProgress);
    assert_eq!(world.service.task_definition.revision, 1);
    world.settle();
    assert_eq!((world.running().as_str(), world.service.deployments.len()), ("1:2", 1));
    assert_eq!(world.live_ids(), survivors, "tasks of the target are not replaced");
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::RollbackSuccessful);
    let record = world.records.values().find(|record| record.breaker_triggered).unwrap();
    assert_eq!(record.status_reason.as_deref(), Some(BREAKER_ROLLBACK_REASON));
    assert_eq!(record.breaker_failures, 3);
    assert!(world.service.steady);
}

#[test]
fn failures_of_the_targets_first_life_do_not_fail_the_way_back() {
    let mut world = World::new(2, 0, 100);
    world.check_health(1);
    world.settle();
    for _ in 0..3 {
        let ill = world.live_ids().remove(0);
        world.health(&ill, HealthStatus::Unhealthy);
        world.step();
        world.end(&ill);
        world.settle();
    }
    let mut world = world.with_breaker(true, 3);
    world.deploy(2);
    world.step();
    world.obey();
    fail_starts(&mut world, 3);
    world.settle();
    assert_eq!(world.running(), "1:2");
    assert_eq!(world.primary().rollout_state, RolloutState::Completed);
}

#[test]
fn a_way_back_that_fails_too_is_over() {
    let mut world = World::settled(2, 0, 100).with_breaker(true, 3);
    world.deploy(2);
    world.step();
    world.obey();
    fail_starts(&mut world, 3);
    world.step();
    assert_eq!(world.primary().rollout_state, RolloutState::InProgress);
    // The target's tasks had run, so only their health can fail now.
    world.check_health(1);
    for _ in 0..6 {
        world.step();
        for id in world.live_ids() {
            world.run(&id);
            world.health(&id, HealthStatus::Unhealthy);
        }
        world.step();
        world.pass(1);
        world.live_ids().iter().for_each(|id| {
            if world.tasks[id].stopping_at.is_some() {
                world.end(id);
            }
        });
    }
    assert_eq!(world.primary().rollout_state, RolloutState::Failed);
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::RollbackFailed);
}

#[test]
fn once_a_task_ran_only_failed_health_checks_count() {
    let mut world = World::new(4, 100, 200).with_breaker(false, 2);
    world.check_health(1);
    world.step();
    let ids = world.live_ids();
    world.run(&ids[0]);
    world.pass(1);
    for id in &ids[1..] {
        world.end(id);
    }
    world.step();
    assert_eq!(world.primary().failed_tasks, 0);
    world.health(&ids[0], HealthStatus::Unhealthy);
    world.step();
    world.step();
    assert_eq!(world.primary().failed_tasks, 1);
}

#[test]
fn a_task_that_becomes_healthy_sets_the_count_back_once() {
    let mut world = World::new(3, 0, 100).with_breaker(false, 2);
    world.check_health(1);
    world.step();
    let ids = world.live_ids();
    world.pass(1);
    for id in &ids {
        world.run(id);
    }
    let ill = |world: &mut World, id: &String| {
        world.health(id, HealthStatus::Unhealthy);
        world.step();
        world.pass(1);
        world.step();
        (world.primary().failed_tasks, world.primary().rollout_state)
    };
    assert_eq!(ill(&mut world, &ids[0]), (1, RolloutState::InProgress));
    world.health(&ids[1], HealthStatus::Healthy);
    world.step();
    assert_eq!(world.primary().failed_tasks, 0);
    world.pass(1);
    assert_eq!(ill(&mut world, &ids[2]), (1, RolloutState::InProgress));
    // The healthy one is still there, but it became healthy long ago.
    world.end(&ids[0]);
    let next = world.step().start[0].id.clone();
    world.run(&next);
    assert_eq!(ill(&mut world, &next), (2, RolloutState::Failed));
}

#[test]
fn a_stop_request_stops_or_goes_back() {
    let ask = |status| {
        let mut world = World::settled(2, 100, 200);
        world.deploy(2);
        world.step();
        world.records.values_mut().last().unwrap().status = status;
        let id = world.primary().service_deployment_id.clone();
        world.records.get_mut(&id).unwrap().status = status;
        world.settle();
        let running = world.running();
        (running, world.records[&id].status)
    };
    assert_eq!(
        ask(ServiceDeploymentStatus::RollbackRequested),
        ("1:2".to_owned(), ServiceDeploymentStatus::RollbackSuccessful)
    );
    assert_eq!(ask(ServiceDeploymentStatus::StopRequested).1, ServiceDeploymentStatus::Stopped);
}

#[test]
fn a_way_back_overtaken_by_a_new_deployment_has_failed() {
    let mut world = World::settled(2, 100, 200).with_breaker(true, 3);
    world.deploy(2);
    fail_starts(&mut world, 3);
    world.plan().service.unwrap();
    let plan = world.step();
    assert_eq!(plan.service.unwrap().task_definition.revision, 1);
    world.deploy(3);
    world.settle();
    assert_eq!(world.running(), "3:2");
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::RollbackFailed);
    assert_eq!(world.record_status(2), ServiceDeploymentStatus::Successful);
}

#[test]
fn the_delay_doubles_with_every_round_up_to_27_minutes() {
    let delays: Vec<_> = [1, 2, 4, 6, 8].map(|failures| start_delay_ms(failures, 2, 0)).into();
    assert_eq!(delays, [0, 10_000, 20_000, 40_000, 80_000]);
    assert_eq!(start_delay_ms(u32::MAX, 1, 999), 27 * 60 * 1000);
    assert!((10_000..=12_000).contains(&start_delay_ms(1, 0, 999)));
}

#[test]
fn tasks_that_do_not_come_up_are_tried_again_later_and_later() {
    let mut world = World::new(1, 100, 200);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let plan = world.step();
        assert_eq!(plan.start.len(), 1);
        world.end(&plan.start[0].id);
        let plan = world.step();
        assert_eq!(plan.start, []);
        let until: Timestamp = plan.wake_at.unwrap();
        waits.push(until.ms_since(world.now) / 10_000);
        world.now = until;
    }
    assert_eq!(waits.iter().map(|wait| wait.ilog2()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(world.said("is unable to consistently start tasks successfully."), 1);
    world.deploy(2);
    assert_eq!(world.step().start.len(), 1, "a new deployment starts at once");
}

#[test]
fn tasks_that_come_up_and_exit_at_once_are_not_replaced_many_times_a_second() {
    let mut world = World::new(1, 100, 200);
    let mut waited = 0;
    for _ in 0..10 {
        let plan = world.step();
        for task in &plan.start {
            world.run(&task.id);
            world.end(&task.id);
        }
        if plan.start.is_empty() {
            waited += plan.wake_at.unwrap().ms_since(world.now);
            world.now = plan.wake_at.unwrap();
        }
    }
    assert!(waited >= 30_000, "{waited}");
    assert_eq!(world.said("unable to consistently"), 0, "they do start");
}

/// A task ends by itself; what is left of it is not taken down yet.
fn ends_slowly(world: &mut World, id: &str, code: StopCode) {
    let now = world.now;
    let task = world.tasks.get_mut(id).unwrap();
    task.request_stop(code, "it ended", now);
    task.last_status = TaskStatus::Stopping;
}

#[test]
fn starts_are_throttled_as_soon_as_a_failure_is_seen() {
    let mut world = World::new(2, 0, 200);
    world.step();
    for id in world.live_ids() {
        ends_slowly(&mut world, &id, StopCode::TaskFailedToStart);
    }
    assert_eq!(world.step().start.len(), 0);
}

#[test]
fn short_lives_are_paced_as_soon_as_an_end_is_seen() {
    let mut world = World::new(1, 0, 200);
    for _ in 0..2 {
        world.step();
        let id = world.live_ids().remove(0);
        world.run(&id);
        world.end(&id);
    }
    world.step();
    let id = world.live_ids().remove(0);
    world.run(&id);
    ends_slowly(&mut world, &id, StopCode::EssentialContainerExited);
    assert_eq!(world.step().start.len(), 0);
}
