//! REPLICA services: the arithmetic, rolling updates, scale-in, draining, events.

use domain::{
    ContainerInstanceStatus, HealthStatus, RolloutState, ServiceDeploymentStatus, ServiceStatus,
};

use super::world::World;

/// The first moves of an update to revision 2: tasks started, tasks stopped.
#[track_caller]
fn check_first_moves(desired: u32, minimum: u32, maximum: u32, expected: (usize, usize)) {
    let mut world = World::settled(desired, minimum, maximum);
    world.deploy(2);
    let plan = world.step();
    assert_eq!((plan.start.len(), plan.stop.len()), expected, "{desired} {minimum} {maximum}");
}

#[test]
fn the_first_moves_of_an_update_follow_the_percentages() {
    check_first_moves(4, 100, 200, (4, 0));
    check_first_moves(4, 50, 100, (0, 2));
    check_first_moves(4, 0, 100, (0, 4));
    check_first_moves(2, 75, 150, (1, 0));
    check_first_moves(2, 75, 100, (0, 0));
    check_first_moves(3, 100, 125, (0, 0));
}

#[test]
fn an_update_replaces_every_task_and_says_so() {
    let mut world = World::settled(2, 100, 200);
    world.deploy(2);
    world.settle();
    assert_eq!(world.running(), "2:2");
    assert_eq!(world.service.deployments.len(), 1);
    assert_eq!(world.primary().rollout_state, RolloutState::Completed);
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::Successful);
    let ids: Vec<_> = world.tasks.values().map(|task| (&task.id, task.stopped_at)).collect();
    let gone: Vec<_> = ids.iter().filter(|(_, stopped)| stopped.is_some()).collect();
    let primary = &world.primary().id;
    let events = world.events();
    assert_eq!(events[0], "has reached a steady state.");
    assert_eq!(events[1], format!("(deployment {primary}) deployment completed."));
    assert!(
        events[2]
            == format!("has stopped 2 running tasks: (task {}) (task {}).", gone[0].0, gone[1].0)
            || events[2]
                == format!(
                    "has stopped 2 running tasks: (task {}) (task {}).",
                    gone[1].0, gone[0].0
                ),
        "{events:#?}"
    );
    assert!(events[3].starts_with("has started 2 tasks: (task "), "{events:#?}");
}

#[test]
fn an_update_of_a_hundred_tasks_goes_in_bounded_steps() {
    let mut world = World::settled(100, 50, 100);
    world.deploy(2);
    world.settle();
    assert_eq!(world.running(), "2:100");
    assert!(world.service.steady);
}

#[test]
fn floor_and_ceiling_that_leave_no_way_are_reported_once() {
    let mut world = World::settled(3, 100, 125);
    world.deploy(2);
    world.settle();
    assert_eq!(world.running(), "1:3");
    let words = "was unable to stop or start tasks during a deployment because of the service \
                 deployment configuration. Update the minimumHealthyPercent or maximumPercent value \
                 and try again.";
    assert_eq!(world.events()[0], words);
    assert_eq!(world.said(words), 1);
}

#[test]
fn a_deployment_that_only_waits_is_not_reported_as_stuck() {
    let mut world = World::settled(4, 50, 100);
    world.deploy(2);
    world.settle();
    assert_eq!((world.running().as_str(), world.said("was unable to stop or start")), ("2:4", 0));
}

#[test]
fn a_deployment_whose_old_tasks_take_time_to_stop_is_not_reported_as_stuck() {
    let mut world = World::settled(4, 50, 100);
    world.deploy(2);
    assert_eq!(world.step().stop.len(), 2);
    // They are still stopping.
    world.step();
    assert_eq!(world.said("was unable to stop or start"), 0);
}

#[test]
fn where_the_instances_are_full_the_old_make_room_down_to_the_floor() {
    let mut world = World::new(2, 50, 200);
    world.instances.clear();
    world.add_instance("i1", 2);
    world.settle();
    world.deploy(2);
    let plan = world.step();
    assert_eq!((plan.start.len(), plan.stop.len()), (0, 1));
    let refused = "was unable to place a task because no container instance met all of its \
                   requirements. The closest matching container-instance i1 has insufficient CPU \
                   units available.";
    assert_eq!(world.said(refused), 1, "{:#?}", world.events());
    world.settle();
    assert_eq!(world.running(), "2:2");
    assert_eq!(world.said(refused), 1, "repeated within six hours");
}

#[test]
fn a_task_that_ended_is_replaced_when_there_is_room_again() {
    let mut world = World::settled(2, 100, 200);
    let lost = world.live_ids().remove(0);
    world.end(&lost);
    for id in ["i1", "i2", "i3"] {
        world.instances.get_mut(id).unwrap().agent_connected = false;
    }
    world.step();
    assert!(!world.service.steady, "or nobody looks again when room comes");
    for id in ["i1", "i2", "i3"] {
        world.instances.get_mut(id).unwrap().agent_connected = true;
    }
    world.settle();
    assert_eq!((world.running().as_str(), world.said("steady state")), ("1:2", 2));
}

fn with_an_unhealthy_task(maximum: u32) -> (World, String) {
    let mut world = World::new(2, 100, maximum);
    world.check_health(1);
    world.settle();
    let ill = world.live_ids().remove(0);
    world.health(&ill, HealthStatus::Unhealthy);
    (world, ill)
}

#[test]
fn an_unhealthy_task_is_replaced_first_where_there_is_room() {
    let (mut world, ill) = with_an_unhealthy_task(200);
    let plan = world.step();
    assert_eq!((plan.start.len(), plan.stop.len()), (1, 0));
    let new = plan.start[0].id.clone();
    world.run(&new);
    assert_eq!(world.step().stop.len(), 0, "its replacement is not healthy yet");
    world.health(&new, HealthStatus::Healthy);
    let plan = world.step();
    assert_eq!(plan.stop, [(ill.clone(), "Task failed container health checks".to_owned())]);
    assert_eq!(world.said(&format!("(task {ill}) failed container health checks.")), 1);
}

#[test]
fn an_unhealthy_task_is_stopped_first_where_there_is_none_and_only_that_one() {
    let (mut world, ill) = with_an_unhealthy_task(100);
    let plan = world.step();
    assert_eq!((plan.start.len(), plan.stop[0].0.clone()), (0, ill.clone()));
    assert_eq!(world.step().stop.len(), 0);
    world.end(&ill);
    assert_eq!(world.step().start.len(), 1);
}

#[test]
fn health_counts_after_the_grace_period_and_the_end_of_it_wakes() {
    let mut world = World::new(1, 0, 100);
    world.service.health_check_grace_period_seconds = 60;
    world.check_health(1);
    world.step();
    let id = world.live_ids().remove(0);
    world.run(&id);
    world.health(&id, HealthStatus::Unhealthy);
    let plan = world.step();
    assert_eq!((plan.stop.len(), plan.wake_at), (0, Some(world.now.plus_seconds(60))));
    world.pass(60);
    assert_eq!(world.step().stop.len(), 1);
}

#[test]
fn a_task_without_health_check_is_healthy_40_s_after_its_start() {
    let mut world = World::new(1, 100, 200);
    world.step();
    let id = world.live_ids().remove(0);
    world.run(&id);
    assert_eq!(world.step().wake_at, Some(world.now.plus_seconds(40)));
    world.pass(39);
    world.step();
    assert_eq!(world.primary().rollout_state, RolloutState::InProgress);
    world.pass(1);
    world.step();
    assert_eq!(world.primary().rollout_state, RolloutState::Completed);
}

#[test]
fn scale_in_takes_first_what_is_not_running_or_not_healthy() {
    let mut world = World::settled(2, 100, 200);
    let healthy = world.live_ids();
    world.service.desired_count = 5;
    world.step();
    let rising: Vec<_> = world.live_ids().into_iter().filter(|id| !healthy.contains(id)).collect();
    world.run(&rising[0]);
    world.service.desired_count = 2;
    let stopped: Vec<_> = world.step().stop.into_iter().map(|(id, _)| id).collect();
    assert_eq!(stopped.len(), 3);
    assert!(healthy.iter().all(|id| !stopped.contains(id)), "{stopped:?}");
}

#[test]
fn protected_tasks_are_left_until_their_protection_ends() {
    let mut world = World::settled(3, 100, 200);
    for id in world.live_ids() {
        world.protect(&id, 600);
    }
    world.service.desired_count = 1;
    let plan = world.step();
    assert_eq!((plan.stop.len(), plan.wake_at), (0, Some(world.now.plus_seconds(600))));
    let id = &world.primary().id;
    assert_eq!(
        world.events()[0],
        format!(
            "unable to reach steady state because task set ({id}) was unable to scale in. Reason: \
             The number of protected tasks are more than the desired count of tasks."
        )
    );
    world.pass(600);
    assert_eq!(world.step().stop.len(), 2);
}

#[test]
fn a_deployment_leaves_protected_tasks_and_wakes_when_they_are_free() {
    let mut world = World::settled(1, 100, 200);
    let id = world.live_ids().remove(0);
    world.protect(&id, 600);
    world.deploy(2);
    world.step();
    world.obey();
    world.pass(40);
    let plan = world.step();
    assert_eq!((plan.stop.len(), plan.wake_at), (0, Some(world.now.plus_seconds(560))));
    world.settle();
    assert_eq!((world.running().as_str(), world.said("was unable to stop or")), ("2:1", 0));
}

#[test]
fn nothing_is_placed_when_nothing_is_desired_or_the_service_is_deleted() {
    let mut world = World::new(0, 100, 200);
    assert_eq!(world.step().start, []);
    assert_eq!(world.events(), ["has reached a steady state.", &completed(&world)]);
    let mut world = World::settled(20, 100, 200);
    world.deploy(2);
    world.step();
    world.service.status = ServiceStatus::Draining;
    world.service.desired_count = 0;
    for _ in 0..6 {
        assert_eq!(world.step().start, []);
        world.obey();
    }
    assert_eq!(world.service.status, ServiceStatus::Inactive);
    assert_eq!(world.live().count(), 0);
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::Stopped);
    assert!(world.plan().is_empty() && world.plan().wake_at.is_none());
}

fn completed(world: &World) -> String {
    format!("(deployment {}) deployment completed.", world.primary().id)
}

#[test]
fn draining_replaces_running_tasks_and_stops_pending_ones_at_once() {
    let mut world = World::settled(3, 100, 200);
    world.service.desired_count = 6;
    world.step();
    world.set_instance("i1", ContainerInstanceStatus::Draining);
    let on_i1 = |world: &World, started: bool| -> Vec<String> {
        let here = world
            .live()
            .filter(|task| task.container_instance == "i1" && task.started_at.is_some() == started);
        here.map(|task| task.id.clone()).collect()
    };
    let pending = on_i1(&world, false);
    assert!(!pending.is_empty() && !on_i1(&world, true).is_empty());
    let stopped: Vec<_> = world.step().stop.into_iter().map(|(id, _)| id).collect();
    assert_eq!(stopped, pending);
    world.settle();
    assert_eq!(world.running(), "1:6");
    assert!(world.live().all(|task| task.container_instance != "i1"));
}

#[test]
fn tasks_of_an_instance_that_is_gone_are_replaced() {
    let mut world = World::settled(3, 100, 200);
    world.instances.remove("i1");
    world.settle();
    assert_eq!(world.running(), "1:3");
    assert!(world.live().all(|task| task.container_instance != "i1"));
}

#[test]
fn an_update_overtaken_by_another_ends_with_the_newest_only() {
    let mut world = World::settled(4, 100, 200);
    world.deploy(2);
    world.step();
    world.obey();
    world.deploy(3);
    world.settle();
    assert_eq!((world.running().as_str(), world.service.deployments.len()), ("3:4", 1));
    assert_eq!(world.record_status(1), ServiceDeploymentStatus::Stopped);
    assert_eq!(world.record_status(2), ServiceDeploymentStatus::Successful);
}
