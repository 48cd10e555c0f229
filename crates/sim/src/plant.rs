//! Where the planted bugs of [`crate::Mutation`] sit in what the control plane writes.

use std::sync::Arc;

use domain::{
    ContainerStatus, DesiredStatus, Protocol, RolloutState, Service, ServiceStatus, StopCode, Task,
    TaskStatus,
};
use invariants::{Actor, Invariant};
use state::Record as _;
use store::{Key, Transaction, Write};

use crate::env::Env;
use crate::executor::lock;

/// Changes what a transaction writes, where the world has such a bug.
pub(crate) fn in_transaction(env: &Arc<Env>, actor: &Actor, transaction: &mut Transaction) {
    if env.mutation.is_none() {
        return;
    }
    let mut added = Vec::new();
    for write in &mut transaction.writes {
        let Write::Put(key, value) = write else { continue };
        let Some((table, id)) = key.as_str().split_once('/') else { continue };
        if table == Task::TABLE {
            let Ok(mut task) = serde_json::from_slice::<Task>(value) else { continue };
            let known = lock(&env.monitor).tasks().contains_key(id);
            in_task(env, actor, known, &mut task, &mut added);
            *value = serde_json::to_vec(&task).unwrap_or_default().into();
        } else if table == Service::TABLE {
            let Ok(mut service) = serde_json::from_slice::<Service>(value) else { continue };
            in_service(env, actor, &mut service, &mut added);
            *value = serde_json::to_vec(&service).unwrap_or_default().into();
        }
    }
    for task in added {
        let written = transaction.writes.iter().any(|write| match write {
            Write::Put(key, _) | Write::Delete(key) => key.as_str().ends_with(&task.id),
        });
        let key = Key::new(format!("{}/{}", Task::TABLE, task.id));
        if let (false, Ok(key), Ok(value)) = (written, key, serde_json::to_vec(&task)) {
            transaction.writes.push(Write::Put(key, value.into()));
        }
    }
}

fn in_task(env: &Arc<Env>, actor: &Actor, known: bool, task: &mut Task, added: &mut Vec<Task>) {
    let breaks = |invariant| env.mutation.breaks(invariant);
    if !known {
        if breaks(Invariant::Amounts) {
            task.reserved_cpu_units = 1_000_000;
        }
        if breaks(Invariant::HostPorts) {
            task.reserved_ports.push((9_999, Protocol::Tcp));
        }
        if breaks(Invariant::ClientTokens) && task.service.is_none() {
            task.client_token = Some("again".to_owned());
        }
        if breaks(Invariant::AcceptedOnly) && *actor == Actor::Services {
            task.service = None;
        }
        if breaks(Invariant::Ceiling) && *actor == Actor::Services {
            for _ in 0..20 {
                let id = base::IdSource::hex32(env.ids.as_ref());
                added.push(Task { id, ..task.clone() });
            }
        }
    }
    if breaks(Invariant::StopsHaveReasons) && task.desired_status == DesiredStatus::Stopped {
        task.stopped_reason = None;
    }
    if breaks(Invariant::NeverBack) && task.last_status == TaskStatus::Stopping {
        task.last_status = TaskStatus::Provisioning;
    }
    let ended = task.containers.iter().any(|one| one.last_status == ContainerStatus::Stopped);
    if breaks(Invariant::EssentialExit) && *actor == Actor::NodeLink && ended {
        let before = lock(&env.monitor).tasks().get(&task.id).map(|task| task.last_status);
        if before.is_some_and(|before| before <= TaskStatus::Running) {
            task.last_status = TaskStatus::Running;
        }
    }
}

fn in_service(env: &Arc<Env>, actor: &Actor, service: &mut Service, added: &mut Vec<Task>) {
    if *actor != Actor::Services {
        return;
    }
    let breaks = |invariant| env.mutation.breaks(invariant);
    if breaks(Invariant::Floor) && service.status == ServiceStatus::Active {
        let monitor = lock(&env.monitor);
        for task in monitor.tasks().values() {
            if task.last_status == TaskStatus::Running {
                let mut task = task.as_ref().clone();
                if task.request_stop(StopCode::ServiceSchedulerInitiated, "planted", env.now()) {
                    added.push(task);
                }
            }
        }
    }
    for deployment in &mut service.deployments {
        if breaks(Invariant::Breaker) && deployment.failed_tasks == 1 {
            deployment.rollout_state = RolloutState::Failed;
            "ECS deployment circuit breaker: planted."
                .clone_into(&mut deployment.rollout_state_reason);
        }
    }
}

/// Whether a transaction never reaches the store: the bugs that let services drain, and deployments go
/// on, for ever.
pub(crate) fn is_lost(env: &Arc<Env>, actor: &Actor, transaction: &Transaction) -> bool {
    let draining = env.mutation.breaks(Invariant::DrainingEnds);
    let deploying = env.mutation.breaks(Invariant::DeploymentsEnd);
    if *actor != Actor::Services || !(draining || deploying) {
        return false;
    }
    crate::store::records(transaction).iter().any(|record| match record {
        invariants::Record::Service(_, Some(service)) => {
            let completed = service
                .primary()
                .is_some_and(|primary| primary.rollout_state == RolloutState::Completed);
            (draining && service.status == ServiceStatus::Inactive) || (deploying && completed)
        }
        invariants::Record::Service(_, None)
        | invariants::Record::Task(..)
        | invariants::Record::Instance(..)
        | invariants::Record::Definition(_) => false,
    })
}
