//! Big worlds, for measurements. The caller has the real clock.

use base::IdSource as _;
use node_proto::{PROTOCOL_VERSION, Registration};
use serde_json::json;

use crate::command::Done;
use crate::env::Env;
use crate::line::Line;
use crate::link::Up;
use crate::mutation::Mutation;
use crate::world::{NodeSize, World};

/// Calls under way at once.
const CALLS_AT_ONCE: usize = 50;
/// Tasks of one call.
const TASKS_PER_CALL: usize = 10;

/// A world of nodes with agents and runtimes, and services on them.
#[derive(Debug)]
pub struct BusyWorld(World);

impl BusyWorld {
    /// `nodes` nodes with ten tasks each, of ten services that are at rest.
    ///
    /// # Errors
    ///
    /// When the world does not come to rest.
    pub fn new(seed: u64, nodes: usize) -> anyhow::Result<Self> {
        let mut world = World::new(Env::new(seed, false, Mutation::NONE, true))?;
        for index in 0..nodes {
            let size = NodeSize { cpu_units: 4_096, memory_mib: 8_192, ..NodeSize::default() };
            world.add_node(&format!("n{index}"), size);
        }
        world.run_ms(5_000);
        command(
            &mut world,
            "task web cpu=128 memory=128 : main(health) log(nonessential,after=main/START)",
        )?;
        for index in 0..10 {
            command(
                &mut world,
                &format!("service s{index} task=web count={nodes} min=50 max=150"),
            )?;
        }
        world.run_ms(10 * 60_000);
        let running = world.running().len();
        anyhow::ensure!(running == nodes * 10, "{running} tasks run: {:?}", world.violations());
        Ok(Self(world))
    }

    /// Lets an hour pass in which one service is deployed anew, a node loses power and an agent is
    /// started again.
    ///
    /// # Errors
    ///
    /// When something does not hold.
    pub fn hour(&mut self, number: usize) -> anyhow::Result<()> {
        let world = &mut self.0;
        let nodes = world.nodes.len().max(1);
        command(world, &format!("update s{} force", number % 10))?;
        command(world, &format!("power-loss n{} for=60s", number * 7 % nodes))?;
        command(world, &format!("agent-restart n{} for=5s", number * 11 % nodes))?;
        world.run_ms(60 * 60_000);
        let violations = world.violations();
        anyhow::ensure!(world.sound(), "{violations:?} {:?}", world.stuck);
        Ok(())
    }
}

fn command(world: &mut World, text: &str) -> anyhow::Result<()> {
    match world.execute(&Line::parse(text)).map_err(anyhow::Error::msg)? {
        Done::Fault => {}
        Done::Calls(calls) => {
            for (operation, body) in calls {
                let answer = world.call_and_wait(operation, body.to_string());
                anyhow::ensure!(answer.status == 200, "{text}: {} {}", answer.status, answer.body);
            }
        }
    }
    Ok(())
}

/// A control plane with registered instances and no nodes behind them.
#[derive(Debug)]
pub struct PlacementWorld(World);

impl PlacementWorld {
    /// `instances` instances with room for twenty tasks each.
    ///
    /// # Errors
    ///
    /// When the instances cannot be registered.
    pub fn new(instances: usize) -> anyhow::Result<Self> {
        let mut world = World::new(Env::new(1, true, Mutation::NONE, false))?;
        for index in 0..instances {
            let instance_id = world.env.ids.hex32();
            let registration = Box::new(Registration {
                protocol_version: PROTOCOL_VERSION,
                instance_id: instance_id.clone(),
                cluster: "default".to_owned(),
                ec2_instance_id: format!("i-{index:017x}"),
                agent_version: "1.0.0".to_owned(),
                resources: domain::Resources {
                    cpu_units: 4_096,
                    memory_mib: 8_192,
                    ..domain::Resources::default()
                },
                attributes: vec![(
                    "ecs.availability-zone".to_owned(),
                    Some(format!("zone-{}", index % 3)),
                )],
                fargate_isolation: None,
                system: Vec::new(),
            });
            world.ask(instance_id, Up::Register { request: 0, registration });
            if index % CALLS_AT_ONCE == 0 {
                world.run_ms(100);
            }
        }
        world.run_ms(1_000);
        command(&mut world, "task job cpu=128 memory=128 : main")?;
        Ok(Self(world))
    }

    /// Places so many tasks by calls of RunTask, ten each.
    ///
    /// # Errors
    ///
    /// When a call fails or does not place all of its tasks.
    pub fn place(&mut self, tasks: usize) -> anyhow::Result<()> {
        let body = json!({"taskDefinition": "job", "count": TASKS_PER_CALL}).to_string();
        let mut left = tasks.div_ceil(TASKS_PER_CALL);
        while left > 0 {
            let batch = left.min(CALLS_AT_ONCE);
            left -= batch;
            let calls: Vec<u64> =
                (0..batch).map(|_| self.0.call("RunTask", body.clone(), true)).collect();
            // Little time: an instance that is not heard of for 75 s gets nothing.
            self.0.run_ms(150);
            for call in calls {
                let answer = self.0.take_answer(call);
                let placed = answer.as_ref().and_then(|one| one.body.pointer("/tasks"));
                let placed = placed.and_then(|tasks| tasks.as_array()).map_or(0, Vec::len);
                anyhow::ensure!(
                    placed == TASKS_PER_CALL,
                    "{placed} of {TASKS_PER_CALL} tasks placed by a call"
                );
            }
        }
        Ok(())
    }

    /// How many tasks the nodes have been told of.
    pub fn assigned(&self) -> usize {
        let control = self.0.control.as_ref();
        control.map_or(0, |control| control.assigned())
    }
}
