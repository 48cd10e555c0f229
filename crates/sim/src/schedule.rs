//! Schedules: what operators do and what goes wrong, drawn from a seed, run, checked, and shrunk.

use std::fmt;

use invariants::{Exercised, Invariant, Violation};

use crate::command::Done;
use crate::env::{Env, clock_text};
use crate::executor::lock;
use crate::line::Line;
use crate::mutation::Mutation;
use crate::random::Random;
use crate::world::World;

/// Time in which everything must come to rest after the last fault: longer than the longest delay
/// of the start throttle (27 min) with what was counted before.
const QUIET_MS: i64 = 75 * 60_000;
/// The same where a bug is planted.
const PLANTED_QUIET_MS: i64 = 6 * 60_000;
/// Time in which it must stay at rest.
const STAY_MS: i64 = 5 * 60_000;
/// Runs that shrinking takes at most.
const MAX_SHRINK_RUNS: usize = 400;

/// What happens in a world, by milliseconds since it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    seed: u64,
    lines: Vec<(i64, String)>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at_ms, line) in &self.lines {
            writeln!(f, "{:>12}  {line}", clock_text(*at_ms))?;
        }
        Ok(())
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Why the world could not go on.
    pub stuck: Option<String>,
    /// The same for the same schedule, always.
    pub trace_hash: u64,
    /// How often each invariant had something to check.
    pub exercised: Exercised,
    /// Steps taken.
    pub steps: u64,
    /// Virtual milliseconds that passed.
    pub elapsed_ms: i64,
    /// The last things that happened.
    pub story: String,
}

impl Report {
    /// Whether everything held.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty() && self.stuck.is_none()
    }

    /// The first thing that did not hold; `None` for a world that was stuck or sound.
    pub fn broken(&self) -> Option<Invariant> {
        self.violations.first().map(|violation| violation.invariant)
    }

    fn complaint(&self) -> String {
        let mut lines: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        lines.extend(self.stuck.clone());
        lines.join("\n")
    }
}

/// What is left of a failing schedule after shrinking, in words.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The shortest schedule found that fails in the same way.
    pub schedule: Schedule,
    /// Its run.
    pub report: Report,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} fails:\n{}\n", self.seed, self.report.complaint())?;
        writeln!(f, "shortest schedule found:\n{}", self.schedule)?;
        write!(f, "how it ended:\n{}", self.report.story)
    }
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        Generator::new(seed).schedule()
    }

    /// A schedule given line by line, each with the millisecond at which it is due.
    pub fn given(seed: u64, lines: &[(i64, &str)]) -> Self {
        let lines = lines.iter().map(|(at_ms, line)| (*at_ms, (*line).to_owned())).collect();
        Self { seed, lines }
    }

    /// Runs it; `mutation` is the bug that the world has.
    ///
    /// # Errors
    ///
    /// When the machine gives no async runtime.
    pub fn run(&self, mutation: Mutation) -> anyhow::Result<Report> {
        let env = Env::new(self.seed, false, mutation, true);
        let mut world = World::new(env)?;
        let begin = world.env.now();
        for (at_ms, text) in &self.lines {
            world.run_until(begin.plus_ms(*at_ms));
            if !world.sound() {
                break;
            }
            world.forget_answers();
            world.env.tell(&format!("» {text}"));
            // What names something that is not there (any more) does nothing.
            if let Ok(Done::Calls(calls)) = world.execute(&Line::parse(text)) {
                for (operation, body) in calls {
                    world.call(operation, body.to_string(), false);
                }
            }
        }
        self.come_to_rest(&mut world, mutation);
        Ok(report(&world))
    }

    fn come_to_rest(&self, world: &mut World, mutation: Mutation) {
        if !world.sound() {
            return;
        }
        world.heal();
        // Planted bugs show soon.
        world.run_ms(if mutation.is_none() { QUIET_MS } else { PLANTED_QUIET_MS });
        if !world.sound() {
            return;
        }
        world.settled(None);
        let running = world.running();
        if mutation.breaks(Invariant::DesiredReached)
            && let Some(task) = world.a_service_task()
        {
            world.crash(&task, None, 1);
        }
        world.run_ms(STAY_MS);
        if world.sound() {
            world.settled(Some(&running));
        }
    }

    /// The shortest schedule found that fails as this one does.
    ///
    /// # Errors
    ///
    /// When the machine gives no async runtime.
    pub fn shrink(&self, report: Report) -> anyhow::Result<Failure> {
        let broken = report.broken();
        let mut best = Failure { seed: self.seed, schedule: self.clone(), report };
        let mut runs = 0;
        let mut chunk = best.schedule.lines.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            while start < best.schedule.lines.len() && runs < MAX_SHRINK_RUNS {
                let end = start.saturating_add(chunk);
                let kept = best.schedule.lines.iter().enumerate();
                let kept = kept.filter(|(index, _)| *index < start || *index >= end);
                let lines = kept.map(|(_, line)| line.clone()).collect();
                let candidate = Self { seed: self.seed, lines };
                let report = candidate.run(Mutation::NONE)?;
                runs = runs.saturating_add(1);
                if !report.is_sound() && report.broken() == broken {
                    best = Failure { seed: self.seed, schedule: candidate, report };
                } else {
                    start = end;
                }
            }
            if chunk == 1 || runs >= MAX_SHRINK_RUNS {
                return Ok(best);
            }
            chunk = chunk.div_ceil(2);
        }
    }
}

fn report(world: &World) -> Report {
    let trace = lock(&world.env.trace);
    Report {
        violations: world.violations(),
        stuck: world.stuck.clone(),
        trace_hash: trace.hash(),
        exercised: world.exercised(),
        steps: trace.steps,
        elapsed_ms: world.env.elapsed_ms(),
        story: trace.story(400),
    }
}

/// Definitions that schedules choose from, good ones first.
const DEFINITIONS: &[&str] = &[
    "cpu=128 memory=128 : main",
    "cpu=128 memory=256 : main(health) side(nonessential,after=main/HEALTHY)",
    "cpu=256 memory=256 : init(nonessential,exit=0@2s) main(after=init/SUCCESS,deaf,stoptimeout=5)",
    "cpu=128 memory=128 : main(port=8080,stop=8s)",
    "cpu=128 memory=128 : main(dynamic=80,pull=20s) log(after=main/START,nonessential,exit=0@40s)",
    "cpu=128 memory=128 : main(restart=60,exit=3@90s)",
    "cpu=128 memory=128 : db(health=10,well@7s) main(after=db/HEALTHY)",
    "cpu=128 memory=128 : main(exit=1@3s)",
    "cpu=128 memory=128 : main(health,sick@20s)",
    "cpu=128 memory=128 : main(health,sick)",
    "cpu=128 memory=128 : main(startfail)",
    "cpu=128 memory=128 : main(pullfail)",
    "cpu=128 memory=128 : main(oom@30s)",
    "cpu=4000 memory=128 : main",
];
/// How many of [`DEFINITIONS`] can run for good.
const GOOD: usize = 7;

struct Generator {
    seed: u64,
    random: Random,
    at_ms: i64,
    nodes: usize,
    lines: Vec<(i64, String)>,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let random = Random::new(seed, "schedule");
        let nodes = random.index(4).saturating_add(1);
        Self { seed, random, at_ms: 0, nodes, lines: Vec::new() }
    }

    fn add(&mut self, line: String) {
        self.lines.push((self.at_ms, line));
    }

    fn schedule(mut self) -> Schedule {
        for index in 0..self.nodes {
            let zone = ["a", "b"].get(index % 2).copied().unwrap_or("a");
            self.add(format!("node n{index} zone={zone}"));
        }
        self.add("cluster default".to_owned());
        self.at_ms = 1_000;
        for family in ["web", "api", "job"] {
            let definition = DEFINITIONS.get(self.random.index(GOOD)).copied().unwrap_or_default();
            self.add(format!("task {family} {definition}"));
        }
        self.at_ms = 2_000;
        for family in ["web", "api"] {
            let service = self.service(family);
            self.add(service);
        }
        let steps = self.random.between(10, 50);
        for _ in 0..steps {
            let quick = self.random.percent(50);
            self.at_ms +=
                if quick { self.random.between(0, 3_000) } else { self.random.between(0, 90_000) };
            let line = if self.random.percent(60) { self.operate() } else { self.fault() };
            self.add(line);
        }
        self.at_ms += self.random.between(0, 30_000);
        // Somewhere there must be room in the end.
        for index in 0..self.nodes {
            if index == 0 || self.random.percent(60) {
                self.add(format!("activate n{index}"));
            }
        }
        Schedule { seed: self.seed, lines: self.lines }
    }

    fn family(&self) -> &'static str {
        self.random.pick(&["web", "api", "job"]).copied().unwrap_or("web")
    }

    fn service_name(&self) -> &'static str {
        self.random.pick(&["web", "api", "agent"]).copied().unwrap_or("web")
    }

    fn node(&self) -> String {
        format!("n{}", self.random.index(self.nodes))
    }

    fn service(&self, name: &str) -> String {
        let family = if name == "agent" { "job" } else { name };
        let mut line = format!("service {name} task={family}");
        if name == "agent" && self.random.percent(70) {
            line.push_str(" daemon");
        } else {
            line.push_str(&format!(" count={}", self.random.between(0, 5)));
            line.push_str(&self.percentages());
            let placement =
                ["", "", " spread=instanceId", " binpack=memory", " distinct", " random"];
            line.push_str(self.random.pick(&placement).copied().unwrap_or(""));
        }
        line.push_str(self.breaker());
        if self.random.percent(20) {
            line.push_str(" grace=30");
        }
        if self.random.percent(30) {
            line.push_str(&format!(" token=s{}", self.random.below(4)));
        }
        line
    }

    fn percentages(&self) -> String {
        let pairs = [(100, 200), (50, 200), (0, 100), (50, 100), (100, 150), (75, 125), (0, 200)];
        let (min, max) = self.random.pick(&pairs).copied().unwrap_or((100, 200));
        format!(" min={min} max={max}")
    }

    fn breaker(&self) -> &'static str {
        let all = ["", " breaker", " breaker=rollback", " breaker=rollback"];
        self.random.pick(&all).copied().unwrap_or("")
    }

    fn operate(&self) -> String {
        let random = &self.random;
        let service = self.service_name();
        let any = random.below(100);
        match random.below(20) {
            0..=2 => {
                let definition = random.index(DEFINITIONS.len());
                let definition = DEFINITIONS.get(definition).copied().unwrap_or_default();
                format!("task {} {definition}", self.family())
            }
            3..=5 => format!("update {service} task={}", self.family()),
            6..=7 => format!("update {service} count={}", random.between(0, 6)),
            8 => format!("update {service} force{}{}", self.percentages(), self.breaker()),
            9..=10 => {
                let token = if random.percent(50) {
                    format!(" token=r{}", random.below(3))
                } else {
                    String::new()
                };
                format!("run {} count={}{token}", self.family(), random.between(1, 3))
            }
            11 => format!("start {} on={}", self.family(), self.node()),
            12..=13 => format!("stop any={any}"),
            14 => self.service(service),
            15 => format!("delete {service} force"),
            16 => format!("drain {}", self.node()),
            17 => format!("activate {}", self.node()),
            18 => format!("protect any={any} minutes={}", random.between(1, 10)),
            _ => match random.below(3) {
                0 => format!("stop-deployment {service}"),
                1 => format!("stop-deployment {service} abort"),
                _ => format!("deregister-task {}:1", self.family()),
            },
        }
    }

    fn fault(&self) -> String {
        let random = &self.random;
        let node = self.node();
        let seconds = random.between(1, 120);
        match random.below(16) {
            0..=1 => format!("power-loss {node} for={seconds}s"),
            2..=3 => format!("agent-restart {node} for={}s", random.between(0, 20)),
            4..=5 => format!("partition {node} for={seconds}s"),
            6 => format!("link {node} loss=30 for={seconds}s"),
            7 => format!("link {node} duplicate=40 delay=8s for={seconds}s"),
            8..=9 => format!("restart-control for={}s", random.between(0, 10)),
            10 => format!("store conflicts={}", random.between(1, 10)),
            11 => format!("store lost-response={}", random.between(1, 4)),
            12 => format!("store lost-request=1 unavailable={}", random.between(0, 3)),
            13 => format!("store hold={}s", random.between(1, 8)),
            14 => {
                let kind = random.pick(&["compact", "lag", "duplicate=5", "lag unreadable=1"]);
                format!("store {}", kind.copied().unwrap_or("lag"))
            }
            _ => format!("crash any={} code=1", random.below(100)),
        }
    }
}
