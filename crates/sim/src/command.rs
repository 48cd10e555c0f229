//! What an operator does, and what goes wrong: one line each.

use domain::{DesiredStatus, TaskStatus};
use serde_json::{Value, json};
use store::{CommitFault, DeliveryFault, ReadFault};

use crate::definition::{self, set};
use crate::executor::lock;
use crate::line::Line;
use crate::link::LinkFault;
use crate::world::{NodeSize, World};

/// A call of the API.
pub(crate) type Request = (&'static str, Value);

/// What a line leads to.
#[derive(Debug)]
pub(crate) enum Done {
    /// Calls to make, in order.
    Calls(Vec<Request>),
    /// It is done.
    Fault,
}

impl World {
    /// Carries out a line, but for the calls it leads to.
    ///
    /// # Errors
    ///
    /// When the line makes no sense, or what it names is not there.
    pub(crate) fn execute(&mut self, line: &Line) -> Result<Done, String> {
        match line.verb.as_str() {
            "node" => self.new_node(line).map(|()| Done::Fault),
            "power-loss" | "agent-restart" | "partition" | "link" | "restart-control" | "store"
            | "crash" => self.fault(line).map(|()| Done::Fault),
            _ => self.requests(line).map(Done::Calls),
        }
    }

    fn new_node(&mut self, line: &Line) -> Result<(), String> {
        let amount = |name: &str, otherwise: u32| -> Result<u32, String> {
            let given = line.number(name)?;
            Ok(given.and_then(|given| u32::try_from(given).ok()).unwrap_or(otherwise))
        };
        let mut attributes = vec![("ecs.os-type".to_owned(), Some("linux".to_owned()))];
        let zone = line.option("zone").unwrap_or("a");
        attributes.push(("ecs.availability-zone".to_owned(), Some(zone.to_owned())));
        for (name, value) in &line.options {
            if !["cpu", "memory", "zone"].contains(&name.as_str()) {
                attributes.push((name.clone(), Some(value.clone())));
            }
        }
        let size = NodeSize {
            cpu_units: amount("cpu", 2_048)?,
            memory_mib: amount("memory", 4_096)?,
            attributes,
            fargate: line.has("fargate"),
        };
        for name in line.words.iter().filter(|word| *word != "fargate") {
            self.add_node(name, size.clone());
        }
        Ok(())
    }

    fn index(&self, line: &Line) -> Result<usize, String> {
        let name = line.word(0)?;
        self.node(name).ok_or_else(|| format!("there is no node `{name}`"))
    }

    fn fault(&mut self, line: &Line) -> Result<(), String> {
        let until = |world: &Self, otherwise| -> Result<_, String> {
            Ok(world.env.now().plus_ms(line.duration_ms("for", otherwise)?))
        };
        match line.verb.as_str() {
            "power-loss" => {
                let (index, for_ms) = (self.index(line)?, line.duration_ms("for", 30_000)?);
                self.lose_power(index, for_ms, !line.has("unsynced"));
            }
            "agent-restart" => {
                let (index, for_ms) = (self.index(line)?, line.duration_ms("for", 1_000)?);
                self.restart_agent(index, for_ms);
            }
            "partition" => {
                let (index, until) = (self.index(line)?, until(self, 60_000)?);
                self.env.tell(&format!("{} is cut off", line.word(0)?));
                self.set_link(index, LinkFault { until, cut: true, ..LinkFault::default() });
            }
            "link" => {
                let (index, until) = (self.index(line)?, until(self, 60_000)?);
                let percent = |name| -> Result<u64, String> {
                    Ok(line.number(name)?.and_then(|one| u64::try_from(one).ok()).unwrap_or(0))
                };
                let (loss_percent, duplicate_percent) = (percent("loss")?, percent("duplicate")?);
                let delay_ms = line.duration_ms("delay", 0)?;
                let fault =
                    LinkFault { until, cut: false, loss_percent, duplicate_percent, delay_ms };
                self.set_link(index, fault);
            }
            "restart-control" => self.restart_control(line.duration_ms("for", 1_000)?),
            "store" => self.store_fault(line)?,
            _ => {
                let task = self.task_of(line, false)?;
                let code = line.number("code")?.and_then(|code| i32::try_from(code).ok());
                self.crash(&task, line.option("container"), code.unwrap_or(1));
            }
        }
        Ok(())
    }

    fn store_fault(&mut self, line: &Line) -> Result<(), String> {
        let times = |name: &str| -> Result<usize, String> {
            Ok(line.number(name)?.and_then(|one| usize::try_from(one).ok()).unwrap_or(0))
        };
        let commits = [
            ("conflicts", CommitFault::Conflict),
            ("lost-response", CommitFault::LostResponse),
            ("lost-request", CommitFault::LostRequest),
            ("unavailable", CommitFault::Unavailable),
        ];
        let script = self.faults.script();
        for (name, fault) in commits {
            script.commits(std::iter::repeat_n(fault, times(name)?));
        }
        let duplicates = times("duplicate")?;
        script.deliveries(std::iter::repeat_n(DeliveryFault::Duplicate, duplicates));
        script.reads(std::iter::repeat_n(ReadFault::Unavailable, times("unreadable")?));
        if line.has("compact") {
            script.deliveries([DeliveryFault::Compact]);
        }
        if line.has("lag") {
            script.deliveries([DeliveryFault::Lag]);
        }
        if line.option("hold").is_some() {
            self.hold_watches(line.duration_ms("hold", 0)?);
        }
        Ok(())
    }

    /// A task by its short name, or `any=N`: one of those that live.
    fn task(&self, name: &str) -> Result<String, String> {
        let long = lock(&self.env.names).long(name).map(str::to_owned);
        long.ok_or_else(|| format!("there is no task `{name}`"))
    }

    fn task_of(&self, line: &Line, service_only: bool) -> Result<String, String> {
        let Some(number) = line.number("any")? else { return self.task(line.word(0)?) };
        let monitor = lock(&self.env.monitor);
        let live: Vec<&String> = monitor
            .tasks()
            .iter()
            .filter(|(_, task)| {
                task.last_status != TaskStatus::Stopped
                    && task.desired_status == DesiredStatus::Running
                    && (!service_only || task.service.is_some())
            })
            .map(|(id, _)| id)
            .collect();
        let number = usize::try_from(number).unwrap_or(0).checked_rem(live.len()).unwrap_or(0);
        live.get(number).map(|id| (*id).clone()).ok_or_else(|| "no task lives".to_owned())
    }

    fn node_id(&self, name: &str) -> Result<String, String> {
        let index = self.node(name).ok_or_else(|| format!("there is no node `{name}`"))?;
        self.nodes.get(index).map(|node| node.id.clone()).ok_or_else(String::new)
    }

    fn requests(&self, line: &Line) -> Result<Vec<Request>, String> {
        let one = |request| Ok(vec![request]);
        match line.verb.as_str() {
            "task" => one(("RegisterTaskDefinition", definition::read(line)?)),
            "cluster" => one(("CreateCluster", json!({"clusterName": line.word(0)?}))),
            "deregister-task" => {
                one(("DeregisterTaskDefinition", json!({"taskDefinition": line.word(0)?})))
            }
            "run" => one(("RunTask", run(line)?)),
            "start" => {
                let mut request = json!({"taskDefinition": line.word(0)?});
                let names = line.option("on").ok_or("start needs on=NODE,NODE")?;
                let ids: Result<Vec<_>, _> =
                    names.split(',').map(|name| self.node_id(name)).collect();
                set(&mut request, "containerInstances", json!(ids?));
                one(("StartTask", request))
            }
            "stop" => {
                let mut request = json!({"task": self.task_of(line, false)?});
                if let Some(reason) = line.option("reason") {
                    set(&mut request, "reason", json!(reason));
                }
                one(("StopTask", request))
            }
            "service" => one(("CreateService", service(line)?)),
            "update" => one(("UpdateService", update(line)?)),
            "delete" => {
                let request = json!({"service": line.word(0)?, "force": line.has("force")});
                one(("DeleteService", request))
            }
            "drain" | "activate" => {
                let status = if line.verb == "drain" { "DRAINING" } else { "ACTIVE" };
                let ids = [self.node_id(line.word(0)?)?];
                let request = json!({"containerInstances": ids, "status": status});
                one(("UpdateContainerInstancesState", request))
            }
            "deregister" => {
                let id = self.node_id(line.word(0)?)?;
                let request = json!({"containerInstance": id, "force": line.has("force")});
                one(("DeregisterContainerInstance", request))
            }
            "protect" | "unprotect" => {
                let mut request = json!({
                    "cluster": "default", "tasks": [self.task_of(line, true)?],
                    "protectionEnabled": line.verb == "protect",
                });
                if let Some(minutes) = line.number("minutes")? {
                    set(&mut request, "expiresInMinutes", json!(minutes));
                }
                one(("UpdateTaskProtection", request))
            }
            "stop-deployment" => one(self.stop_deployment(line)?),
            "call" => {
                let operation = line.word(0)?;
                let control = self.control.as_ref().ok_or("the control plane is down")?;
                let operation = control.operation(operation)?;
                let body = line.rest.as_deref().unwrap_or("{}");
                let body = serde_json::from_str(body).map_err(|error| error.to_string())?;
                one((operation, body))
            }
            other => Err(format!("`{other}` is no command")),
        }
    }

    fn stop_deployment(&self, line: &Line) -> Result<Request, String> {
        let name = line.word(0)?;
        let monitor = lock(&self.env.monitor);
        let service = monitor.services().get(&format!("default/{name}"));
        let id = service
            .and_then(|service| service.primary())
            .map(|deployment| deployment.service_deployment_id.clone());
        let id = id.ok_or_else(|| format!("service `{name}` has no deployment"))?;
        let arn =
            format!("arn:aws:ecs:eu-west-1:000000000000:service-deployment/default/{name}/{id}");
        let kind = if line.has("abort") { "ABORT" } else { "ROLLBACK" };
        Ok(("StopServiceDeployment", json!({"serviceDeploymentArn": arn, "stopType": kind})))
    }
}

fn run(line: &Line) -> Result<Value, String> {
    let mut request = json!({"taskDefinition": line.word(0)?});
    if let Some(count) = line.number("count")? {
        set(&mut request, "count", json!(count));
    }
    for (option, name) in [("token", "clientToken"), ("group", "group"), ("by", "startedBy")] {
        if let Some(value) = line.option(option) {
            set(&mut request, name, json!(value));
        }
    }
    placement(line, &mut request);
    Ok(request)
}

fn service(line: &Line) -> Result<Value, String> {
    let name = line.word(0)?;
    let mut request = json!({"serviceName": name});
    set(&mut request, "taskDefinition", json!(line.option("task").unwrap_or(name)));
    if line.has("daemon") {
        set(&mut request, "schedulingStrategy", json!("DAEMON"));
    } else {
        set(&mut request, "desiredCount", json!(line.number("count")?.unwrap_or(1)));
    }
    if let Some(token) = line.option("token") {
        set(&mut request, "clientToken", json!(token));
    }
    configuration(line, &mut request)?;
    placement(line, &mut request);
    Ok(request)
}

fn update(line: &Line) -> Result<Value, String> {
    let mut request = json!({"service": line.word(0)?});
    if let Some(task) = line.option("task") {
        set(&mut request, "taskDefinition", json!(task));
    }
    if let Some(count) = line.number("count")? {
        set(&mut request, "desiredCount", json!(count));
    }
    if line.has("force") {
        set(&mut request, "forceNewDeployment", json!(true));
    }
    configuration(line, &mut request)?;
    placement(line, &mut request);
    Ok(request)
}

fn configuration(line: &Line, request: &mut Value) -> Result<(), String> {
    let mut configuration = json!({});
    if let Some(minimum) = line.number("min")? {
        set(&mut configuration, "minimumHealthyPercent", json!(minimum));
    }
    if let Some(maximum) = line.number("max")? {
        set(&mut configuration, "maximumPercent", json!(maximum));
    }
    let breaker = line.option("breaker").or(line.has("breaker").then_some("stop"));
    if let Some(breaker) = breaker {
        let breaker = json!({"enable": breaker != "off", "rollback": breaker == "rollback"});
        set(&mut configuration, "deploymentCircuitBreaker", breaker);
    }
    if configuration.as_object().is_some_and(|object| !object.is_empty()) {
        set(request, "deploymentConfiguration", configuration);
    }
    if let Some(seconds) = line.number("grace")? {
        set(request, "healthCheckGracePeriodSeconds", json!(seconds));
    }
    Ok(())
}

fn placement(line: &Line, request: &mut Value) {
    if line.has("awsvpc") {
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        set(request, "networkConfiguration", network);
    }
    if line.has("fargate") {
        set(request, "launchType", json!("FARGATE"));
    }
    let mut strategies = Vec::new();
    for kind in ["spread", "binpack"] {
        for field in line.option(kind).into_iter().flat_map(|fields| fields.split(',')) {
            strategies.push(json!({"type": kind, "field": field}));
        }
    }
    if line.has("random") {
        strategies.push(json!({"type": "random"}));
    }
    if !strategies.is_empty() {
        set(request, "placementStrategy", json!(strategies));
    }
    let mut constraints = Vec::new();
    if line.has("distinct") {
        constraints.push(json!({"type": "distinctInstance"}));
    }
    if let Some(expression) = line.option("member") {
        constraints.push(json!({"type": "memberOf", "expression": expression}));
    }
    if !constraints.is_empty() {
        set(request, "placementConstraints", json!(constraints));
    }
}
