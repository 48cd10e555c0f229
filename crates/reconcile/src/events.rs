//! What a service says, in ECS's words: tools parse them.

use base::{IdSource, Timestamp};
use domain::{Service, ServiceEvent};

/// A placement event is not repeated within this time (ECS: 6 h).
const REPEAT_AFTER_MS: i64 = 6 * 60 * 60 * 1000;

/// Adds `(service NAME) TEXT` to the service's events.
pub(crate) fn say(service: &mut Service, ids: &dyn IdSource, now: Timestamp, text: &str) {
    let message = format!("(service {}) {text}", service.name);
    service.push_event(ServiceEvent { id: ids.uuid(), created_at: now, message });
}

/// As [`say`], unless the same was said within six hours.
pub(crate) fn say_once(service: &mut Service, ids: &dyn IdSource, now: Timestamp, text: &str) {
    let message = format!("(service {}) {text}", service.name);
    let said = service
        .events
        .iter()
        .any(|event| event.message == message && now.ms_since(event.created_at) < REPEAT_AFTER_MS);
    if !said {
        service.push_event(ServiceEvent { id: ids.uuid(), created_at: now, message });
    }
}

/// `has started 2 tasks: (task a) (task b).`
pub(crate) fn started(task_ids: &[String]) -> String {
    format!("has started {} tasks:{}.", task_ids.len(), list(task_ids))
}

/// `has stopped 2 running tasks: (task a) (task b).`
pub(crate) fn stopped(task_ids: &[String]) -> String {
    format!("has stopped {} running tasks:{}.", task_ids.len(), list(task_ids))
}

fn list(task_ids: &[String]) -> String {
    task_ids.iter().map(|id| format!(" (task {id})")).collect()
}
