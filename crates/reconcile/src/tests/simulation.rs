//! Whatever happens to a service, it ends where it should. What no single plan may do is asserted
//! by `World::step`.

use domain::{ContainerInstanceStatus, HealthStatus, RolloutState};
use proptest::prelude::*;

use super::world::World;

#[derive(Debug, Clone)]
enum Act {
    Step,
    Obey,
    Run(usize),
    End(usize),
    Unhealthy(usize),
    Healthy(usize),
    Pass(i64),
    Deploy(u32),
    Desired(u32),
    Drain(usize),
    Activate(usize),
    Protect(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Step),
        2 => Just(Act::Obey),
        3 => (0..20_usize).prop_map(Act::Run),
        3 => (0..20_usize).prop_map(Act::End),
        1 => (0..20_usize).prop_map(Act::Unhealthy),
        2 => (0..20_usize).prop_map(Act::Healthy),
        2 => (1..60_i64).prop_map(Act::Pass),
        1 => (1..5_u32).prop_map(Act::Deploy),
        1 => (0..25_u32).prop_map(Act::Desired),
        1 => (0..3_usize).prop_map(Act::Drain),
        1 => (0..3_usize).prop_map(Act::Activate),
        1 => (0..20_usize).prop_map(Act::Protect),
    ]
}

const INSTANCES: [&str; 3] = ["i1", "i2", "i3"];

fn play(world: &mut World, act: &Act) {
    let live = world.live_ids();
    let pick = |index: usize| live.get(index % live.len().max(1));
    match *act {
        Act::Step => drop(world.step()),
        Act::Obey => drop(world.obey()),
        Act::Run(index) => pick(index).into_iter().for_each(|id| world.run(id)),
        Act::End(index) => pick(index).into_iter().for_each(|id| world.end(id)),
        Act::Unhealthy(index) => {
            pick(index).into_iter().for_each(|id| world.health(id, HealthStatus::Unhealthy));
        }
        Act::Healthy(index) => {
            pick(index).into_iter().for_each(|id| world.health(id, HealthStatus::Healthy));
        }
        Act::Pass(seconds) => world.pass(seconds),
        Act::Deploy(revision) => world.deploy(revision),
        Act::Desired(count) => world.service.desired_count = count,
        Act::Drain(index) => {
            world.set_instance(INSTANCES[index], ContainerInstanceStatus::Draining);
        }
        Act::Activate(index) => {
            world.set_instance(INSTANCES[index], ContainerInstanceStatus::Active);
        }
        Act::Protect(index) => pick(index).into_iter().for_each(|id| world.protect(id, 300)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn once_faults_stop_the_desired_state_is_reached_and_kept(
        desired in 0..25_u32,
        percents in prop::sample::select(vec![(100, 200), (50, 100), (0, 100), (50, 200), (0, 150)]),
        breaker in prop::option::of((any::<bool>(), 1..6_u32)),
        checked in prop::collection::vec(any::<bool>(), 4),
        acts in prop::collection::vec(act(), 0..120),
    ) {
        let mut world = World::new(desired, percents.0, percents.1);
        if let Some((rollback, count)) = breaker {
            world = world.with_breaker(rollback, count);
        }
        for (revision, _) in (1..).zip(&checked).filter(|(_, checked)| **checked) {
            world.check_health(revision);
        }
        for act in &acts {
            play(&mut world, act);
        }
        for id in INSTANCES {
            world.set_instance(id, ContainerInstanceStatus::Active);
        }
        // One task alone cannot be replaced when it must stay and nothing may be beside it.
        let (floor, ceiling) = (world.service.healthy_floor(), world.service.task_ceiling());
        let stuck = floor == ceiling && world.service.desired_count > 0;
        world.settle();
        let primary = world.primary();
        if stuck || primary.rollout_state == RolloutState::Failed {
            return Ok(());
        }
        prop_assert_eq!(primary.rollout_state, RolloutState::Completed);
        prop_assert!(world.service.steady, "{:#?}\n{:#?}", world.service, world.tasks);
        prop_assert_eq!(world.service.deployments.len(), 1);
        prop_assert_eq!(world.events()[0], "has reached a steady state.");
        let desired = usize::try_from(world.service.desired_count).unwrap();
        prop_assert_eq!(world.live().count(), desired);
        let revision = primary.task_definition.revision;
        prop_assert!(world.live().all(|task| task.task_definition.revision == revision));
        prop_assert!(world.records.values().all(|record| record.status.is_final()));
        for _ in 0..3 {
            world.pass(3600);
            let plan = world.step();
            prop_assert!(plan.is_empty() && plan.wake_at.is_none(), "{plan:#?}");
        }
    }
}
