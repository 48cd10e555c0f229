//! The path after a crash is the path of every day.

use domain::DesiredStatus;
use proptest::prelude::*;

use super::world::World;
use crate::Event;

/// One thing that may happen to a task and its agent.
#[derive(Debug, Clone)]
enum Step {
    /// Everything that should be under way is carried out and told.
    Settle,
    /// One effect, by its place in the plan, is carried out and told.
    One(usize),
    /// One effect is carried out, and the agent dies before it is told.
    Lost(usize),
    /// Told twice, as after a retry.
    Twice(usize),
    /// Nothing was under way.
    Crash,
    /// A process ends.
    Exit(usize, i32),
    /// A process ends while the agent is dead.
    DieUnseen(usize),
    /// Seconds pass.
    Pass(i64),
    /// The control plane wants it stopped.
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Settle),
        6 => (0..4_usize).prop_map(Step::One),
        3 => (0..4_usize).prop_map(Step::Lost),
        1 => (0..4_usize).prop_map(Step::Twice),
        2 => Just(Step::Crash),
        2 => (0..3_usize, prop_oneof![Just(0), Just(1), Just(42)])
            .prop_map(|(index, code)| Step::Exit(index, code)),
        1 => (0..3_usize).prop_map(Step::DieUnseen),
        2 => (1..100_i64).prop_map(Step::Pass),
        1 => Just(Step::Stop),
    ]
}

fn play(world: &mut World, step: &Step) {
    let effect = |world: &mut World, index: usize| {
        let effects = world.effects();
        effects.get(index % effects.len().max(1)).cloned()
    };
    match *step {
        Step::Settle => world.settle(),
        Step::One(index) => {
            if let Some(effect) = effect(world, index) {
                world.carry_out(&effect);
            }
        }
        Step::Lost(index) => {
            if let Some(effect) = effect(world, index) {
                let _untold: Option<Event> = world.begin(&effect);
                world.crash();
            }
        }
        Step::Twice(index) => {
            if let Some(effect) = effect(world, index)
                && let Some(event) = world.begin(&effect)
            {
                world.apply(event.clone());
                let once = world.state.clone();
                world.apply(event);
                assert_eq!(world.state, once, "told twice, it counts twice");
            }
        }
        Step::Crash => world.crash(),
        Step::Exit(index, code) => {
            let name = world.spec.containers[index % world.spec.containers.len()].name.clone();
            world.exit(&name, code);
        }
        Step::DieUnseen(index) => {
            world.die_unseen(index % world.spec.containers.len());
            world.crash();
        }
        Step::Pass(seconds) => world.pass(seconds),
        Step::Stop => world.desired = DesiredStatus::Stopped,
    }
}

const TASKS: [&str; 4] = [
    "web:essential",
    "db:restart=60 web:essential,after=db/START,restart=60 proxy:after=web/START,stop=5",
    "web:essential,after=job/SUCCESS job",
    "db:health=10,start=40 web:essential,after=db/HEALTHY,health=0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// `World` asserts at every step that the status never goes back, that every stop has a reason,
    /// that no container runs twice, and that the sandbox outlives the processes.
    #[test]
    fn whatever_happens_a_task_ends_where_it_should(
        task in 0..TASKS.len(),
        steps in prop::collection::vec(step(), 0..60),
        deaf in any::<bool>(),
    ) {
        let mut world = World::new(TASKS[task]);
        if deaf {
            world.deaf.insert("web".to_owned());
        }
        for step in &steps {
            play(&mut world, step);
        }
        // The faults end; left alone, a task is over or settled.
        world.pass(100);
        world.crash();
        let seen = world.observe();
        world.pass(100);
        let summary = world.summary();
        if world.desired == DesiredStatus::Stopped || seen.stop.is_some() {
            prop_assert!(summary.starts_with("STOPPED"), "{summary}\n{:?}", world.history);
            prop_assert!(seen.execution_stopped_at.is_some() && seen.stopped_at.is_some());
            prop_assert_eq!(world.effects(), []);
        } else {
            let waits_for_job = task == 2 && !world.history.iter().any(|line| line == "start web");
            prop_assert!(summary == "RUNNING" || waits_for_job, "{summary}\n{:?}", world.history);
        }
        let removals = world.history.iter().filter(|line| *line == "remove").count();
        let over = summary.starts_with("STOPPED");
        prop_assert!(!over || removals >= 1, "stopped and not taken down");
    }

    /// A crash between any two steps of a quiet start changes nothing about how it ends.
    #[test]
    fn a_crash_anywhere_in_a_start_ends_in_the_same_state(
        task in 0..TASKS.len(),
        crash_at in 0..12_usize,
        lost in any::<bool>(),
    ) {
        let end = |crash_at: Option<usize>| {
            let mut world = World::new(TASKS[task]);
            for step in 0..12 {
                let effect = world.effects().first().cloned();
                match effect {
                    Some(effect) if crash_at == Some(step) && lost => {
                        let _untold = world.begin(&effect);
                        world.crash();
                    }
                    Some(effect) => world.carry_out(&effect),
                    None => {}
                }
                if crash_at == Some(step) {
                    world.crash();
                }
            }
            world.pass(30);
            (world.summary(), world.observe().containers)
        };
        prop_assert_eq!(end(Some(crash_at)), end(None));
    }
}
