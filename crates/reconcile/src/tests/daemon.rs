//! DAEMON services.

use domain::{ContainerInstanceStatus, SchedulingStrategy, Task};

use super::world::World;

fn daemon(minimum: u32) -> World {
    let mut world = World::new(0, minimum, 100);
    world.service.scheduling_strategy = SchedulingStrategy::Daemon;
    world
}

fn instances(world: &World) -> Vec<&str> {
    let mut found: Vec<_> = world.live().map(|task| task.container_instance.as_str()).collect();
    found.sort_unstable();
    found
}

#[test]
fn one_task_on_every_instance_that_fits() {
    let mut world = daemon(0);
    world.add_instance("i4", 0);
    world.settle();
    assert_eq!(instances(&world), ["i1", "i2", "i3"]);
    assert_eq!((world.service.desired_count, world.service.steady), (3, true));
    world.add_instance("i5", 1);
    world.settle();
    assert_eq!(instances(&world), ["i1", "i2", "i3", "i5"]);
}

#[test]
fn an_update_stops_before_it_starts_down_to_the_floor() {
    let mut world = daemon(50);
    // So full that the successor only fits when the old task is gone.
    world.instances.clear();
    for id in ["i1", "i2", "i3"] {
        world.add_instance(id, 1);
    }
    world.settle();
    world.deploy(2);
    let plan = world.step();
    assert_eq!((plan.start.len(), plan.stop.len()), (0, 1));
    assert_eq!(world.service.desired_count, 3, "the instance still counts");
    world.settle();
    assert_eq!((world.running().as_str(), world.service.steady), ("2:3", true));
}

#[test]
fn a_floor_of_all_leaves_no_way_and_is_reported() {
    let mut world = daemon(100);
    world.settle();
    world.deploy(2);
    world.settle();
    assert_eq!(world.running(), "1:3");
    assert_eq!(world.said("was unable to stop or start tasks during a deployment"), 1);
}

#[test]
fn a_draining_instance_loses_its_daemon_after_its_replicas() {
    let mut world = daemon(0);
    world.settle();
    let other = World::settled(1, 100, 200);
    let mut replica: Task = other.tasks.values().next().unwrap().clone();
    replica.service = Some("other".to_owned());
    replica.started_by = Some("ecs-svc/other".to_owned());
    replica.container_instance = "i1".to_owned();
    world.set_instance("i1", ContainerInstanceStatus::Draining);
    assert_eq!(world.plan().stop.len(), 1);
    let (id, instance) = (replica.id.clone(), world.instances["i1"].id.clone());
    let plan = world.plan_with(&[&replica]);
    assert_eq!(plan.stop, [], "task {id} is still on {instance}");
    world.settle();
    assert_eq!(instances(&world), ["i2", "i3"]);
    assert_eq!(world.service.desired_count, 2);
}
