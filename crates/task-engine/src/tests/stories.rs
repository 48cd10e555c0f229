//! One behaviour each, told by a definition, what happens, and what is seen.

use domain::{DesiredStatus, HealthStatus};

use super::world::World;
use crate::{Effect, Event};

/// Plays `act` on a task that has been brought up, and compares what is seen afterwards.
#[track_caller]
fn check(containers: &str, act: impl FnOnce(&mut World), history: &[&str], summary: &str) {
    let mut world = World::new(containers);
    world.settle();
    act(&mut world);
    world.settle();
    assert_eq!(world.history, history, "{:#?}", world.state);
    assert_eq!(world.summary(), summary);
}

fn stop(world: &mut World) {
    world.desired = DesiredStatus::Stopped;
}

#[test]
fn the_exit_of_an_essential_container_stops_the_task() {
    check(
        "web:essential side",
        |world| world.exit("web", 0),
        &["start web", "start side", "web exited 0", "stop side", "side exited 143", "remove"],
        "STOPPED; EssentialContainerExited: Essential container in task exited",
    );
}

#[test]
fn the_exit_of_another_container_does_not() {
    check(
        "web:essential side",
        |world| world.exit("side", 1),
        &["start web", "start side", "side exited 1"],
        "RUNNING",
    );
}

#[test]
fn start_is_met_by_a_container_that_runs_or_has_stopped() {
    check("web:essential,after=side/START side", |_| {}, &["start side", "start web"], "RUNNING");
}

#[test]
fn complete_is_met_by_any_exit_code() {
    check("web:essential,after=job/COMPLETE job", |_| {}, &["start job"], "PENDING");
    check(
        "web:essential,after=job/COMPLETE job",
        |world| world.exit("job", 3),
        &["start job", "job exited 3", "start web"],
        "RUNNING",
    );
}

#[test]
fn success_is_met_by_exit_code_0_and_by_no_other() {
    check(
        "web:essential,after=job/SUCCESS job",
        |world| world.exit("job", 0),
        &["start job", "job exited 0", "start web"],
        "RUNNING",
    );
    check(
        "web:essential,after=job/SUCCESS job",
        |world| world.exit("job", 3),
        &["start job", "job exited 3", "remove"],
        "STOPPED; TaskFailedToStart: TaskDependencyError: container `web` waits for `job` to reach \
         SUCCESS, which it no longer can: it stopped with exit code 3",
    );
}

#[test]
fn healthy_is_met_by_a_passed_check_only() {
    check("web:essential,after=db/HEALTHY db:health=0", |_| {}, &["start db"], "PENDING");
    check(
        "web:essential,after=db/HEALTHY db:health=0",
        |world| world.pass(10),
        &["start db", "start web"],
        "RUNNING",
    );
    check(
        "web:essential,after=db/HEALTHY db:health=0",
        |world| world.exit("db", 0),
        &["start db", "db exited 0", "remove"],
        "STOPPED; TaskFailedToStart: TaskDependencyError: container `web` waits for `db` to reach \
         HEALTHY, which it no longer can: it stopped with exit code 0",
    );
}

#[test]
fn waiting_ends_at_the_start_timeout_of_the_dependency() {
    let ill = |seconds| {
        move |world: &mut World| {
            world.ill.insert("db".to_owned());
            world.pass(seconds);
        }
    };
    let containers = "web:essential,after=db/HEALTHY db:health=0,start=25";
    check(containers, ill(24), &["start db"], "PENDING");
    check(
        containers,
        ill(25),
        &["start db", "stop db", "db exited 143", "remove"],
        "STOPPED; TaskFailedToStart: TaskDependencyError: container `web` gave up waiting for `db` \
         to reach HEALTHY within its startTimeout of 25 s",
    );
}

#[test]
fn an_essential_container_that_cannot_start_fails_the_task() {
    let mut world = World::new("web:essential side");
    world.broken.insert("web".to_owned());
    world.settle();
    assert_eq!(
        world.summary(),
        "STOPPED; TaskFailedToStart: CannotStartContainerError: web is broken"
    );
    assert_eq!(world.state.started_at, None);
}

#[test]
fn another_container_that_cannot_start_leaves_the_task_alone() {
    let mut world = World::new("tail:after=side/START side web:essential");
    world.broken.insert("side".to_owned());
    world.settle();
    assert_eq!((world.summary().as_str(), world.history.len()), ("RUNNING", 1));
    let reason = world.state.containers[0].reason.clone().unwrap();
    assert!(reason.starts_with("TaskDependencyError: container `tail`"), "{reason}");
}

#[test]
fn a_failed_image_or_sandbox_fails_the_task_in_its_own_words() {
    let fails = |event: Event| {
        let mut world = World::new("web:essential");
        world.effects();
        world.apply(event);
        world.settle();
        world.summary()
    };
    let reason = "CannotPullContainerError: no".to_owned();
    let expected = "STOPPED; TaskFailedToStart: CannotPullContainerError: no";
    assert_eq!(fails(Event::ImageFailed { container: 0, reason: reason.clone() }), expected);
    assert_eq!(fails(Event::SandboxFailed { reason }), expected);
}

#[test]
fn shutdown_runs_in_the_reverse_order_of_the_start() {
    check(
        "db web:essential,after=db/START proxy:after=web/START",
        stop,
        &[
            "start db",
            "start web",
            "start proxy",
            "stop proxy",
            "proxy exited 143",
            "stop web",
            "web exited 143",
            "stop db",
            "db exited 143",
            "remove",
        ],
        "STOPPED",
    );
}

#[test]
fn a_container_that_does_not_heed_its_stop_signal_is_killed_at_its_stop_timeout() {
    let deaf = |seconds| {
        move |world: &mut World| {
            world.deaf.insert("web".to_owned());
            stop(world);
            world.settle();
            world.pass(seconds);
        }
    };
    check("web:essential,stop=7", deaf(6), &["start web", "stop web"], "STOPPING");
    let killed = ["start web", "stop web", "kill web", "web exited 137", "remove"];
    check("web:essential,stop=7", deaf(7), &killed, "STOPPED");
    check("web:essential", deaf(29), &["start web", "stop web"], "STOPPING");
    check("web:essential", deaf(30), &killed, "STOPPED");
}

#[test]
fn a_clock_that_is_put_back_gives_a_container_no_more_than_its_stop_timeout() {
    let deaf = |world: &mut World| {
        world.deaf.insert("web".to_owned());
        stop(world);
        world.settle();
        world.now = world.now.plus_seconds(-3600);
        world.settle();
        world.pass(7);
    };
    let killed = ["start web", "stop web", "kill web", "web exited 137", "remove"];
    check("web:essential,stop=7", deaf, &killed, "STOPPED");
}

#[test]
fn a_task_stopped_before_it_runs_starts_nothing_more() {
    let mut world = World::new("web:essential,after=job/SUCCESS job");
    world.settle();
    stop(&mut world);
    world.settle();
    assert_eq!(world.history, ["start job", "stop job", "job exited 143", "remove"]);
    assert_eq!((world.summary().as_str(), world.state.has_run), ("STOPPED", false));
}

#[test]
fn the_restart_policy_starts_a_container_again_that_ran_long_enough() {
    let exits = |after, code| {
        move |world: &mut World| {
            world.pass(after);
            world.exit("web", code);
        }
    };
    let containers = "web:essential,restart=60";
    check(containers, exits(60, 1), &["start web", "web exited 1", "start web"], "RUNNING");
    let ended = "STOPPED; EssentialContainerExited: Essential container in task exited";
    check(containers, exits(59, 1), &["start web", "web exited 1", "remove"], ended);
    check(containers, exits(60, 42), &["start web", "web exited 42", "remove"], ended);
}

#[test]
fn a_container_is_not_restarted_once_the_task_should_stop() {
    check(
        "web:essential,restart=60 side:after=web/START",
        |world| {
            world.deaf.insert("side".to_owned());
            world.pass(100);
            stop(world);
            world.effects();
            world.exit("web", 1);
            world.pass(30);
        },
        &[
            "start web",
            "start side",
            "web exited 1",
            "stop side",
            "kill side",
            "side exited 137",
            "remove",
        ],
        "STOPPED",
    );
}

#[test]
fn a_restart_does_not_wait_for_dependencies_again() {
    check(
        "web:essential,restart=60,after=job/HEALTHY job:health=0",
        |world| {
            world.pass(100);
            world.exit("job", 0);
            world.exit("web", 1);
        },
        &["start job", "start web", "job exited 0", "web exited 1", "start web"],
        "RUNNING",
    );
}

#[test]
fn a_process_that_ends_before_its_start_was_told_has_run() {
    let mut world = World::new("web:essential,restart=60 side");
    world.settle();
    world.pass(100);
    world.exit("web", 1);
    // The second start, whose end is told first: it ran for no time, not for a hundred seconds.
    let effects = world.effects();
    assert!(effects.contains(&Effect::StartContainer { container: 0, attempt: 2 }), "{effects:?}");
    let told = world.begin(&Effect::StartContainer { container: 0, attempt: 2 });
    world.exit("web", 1);
    world.apply(told.unwrap());
    world.settle();
    assert!(
        world.summary().starts_with("STOPPED; EssentialContainerExited"),
        "{:?}",
        world.summary()
    );
}

#[test]
fn health_counts_failures_after_the_start_period_and_recovers() {
    let mut world = World::new("web:essential,health=35");
    world.settle();
    world.ill.insert("web".to_owned());
    let health = |world: &mut World, seconds| {
        world.pass(seconds);
        world.observe().health_status
    };
    // Checks at 10, 20, 30 do not count; those at 40, 50 and 60 do.
    assert_eq!(health(&mut world, 59), HealthStatus::Unknown);
    assert_eq!(health(&mut world, 1), HealthStatus::Unhealthy);
    world.ill.clear();
    assert_eq!(health(&mut world, 10), HealthStatus::Healthy);
    world.ill.insert("web".to_owned());
    assert_eq!(health(&mut world, 20), HealthStatus::Healthy);
    assert_eq!(health(&mut world, 10), HealthStatus::Unhealthy);
}

#[test]
fn a_passed_check_ends_the_start_period() {
    let mut world = World::new("web:essential,health=300");
    world.pass(10);
    world.ill.insert("web".to_owned());
    world.pass(30);
    assert_eq!(world.observe().health_status, HealthStatus::Unhealthy);
}

#[test]
fn health_of_a_task_is_that_of_its_essential_containers() {
    let mut world = World::new("web:essential,health=0 side:health=0");
    world.ill.insert("side".to_owned());
    world.pass(30);
    assert_eq!(world.observe().health_status, HealthStatus::Healthy);
    assert_eq!(world.observe().containers[1].health_status, HealthStatus::Unhealthy);
}

#[test]
fn time_alone_always_has_a_moment_to_wake_at() {
    let mut world = World::new("web:essential,after=db/HEALTHY,stop=9 db:health=0,start=25");
    world.settle();
    assert_eq!(world.wake_at_seconds(), Some(10), "the next health check");
    world.pass(12);
    assert_eq!(world.wake_at_seconds(), Some(20));
    world.deaf.insert("web".to_owned());
    stop(&mut world);
    world.settle();
    assert_eq!(world.wake_at_seconds(), Some(21), "the end of the stop time-out");
}

#[test]
fn a_task_whose_network_is_found_missing_stops() {
    let mut world = World::new("web:essential init:essential,after=web/HEALTHY");
    world.settle();
    world.apply(Event::SandboxFailed { reason: "ContainerNetworkingError: gone".to_owned() });
    world.settle();
    assert_eq!(world.summary(), "STOPPED; TaskFailedToStart: ContainerNetworkingError: gone");
}

#[test]
fn events_that_cannot_follow_change_nothing() {
    let mut world = World::new("web:essential,restart=60");
    world.settle();
    let before = world.state.clone();
    let (container, reason) = (0, "late".to_owned());
    world.apply(Event::ContainerFailed { container, attempt: 1, reason: reason.clone() });
    world.apply(Event::ImageFailed { container, reason });
    let (at, exit_code) = (world.now, 1);
    world.apply(Event::ContainerExited { container, attempt: 2, exit_code, reason: None, at });
    world.apply(Event::HealthProbed { container, attempt: 1, passed: false, at });
    assert_eq!(world.state, before);
}
