//! What every operation answers: the cases of `tests/wire/iam`, whose steps may also be
//!
//! - `{"used": {"at_ms": …, "region": "…", "service": "…"}}`: from now on, the audit trail knows of
//!   this last use of every key and of every principal; `"actions": ["ecs:ListTasks"]` adds what
//!   every principal did then.

#[cfg(test)]
#[path = "goldens/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "goldens/races.rs"]
mod races;
#[cfg(test)]
#[path = "goldens/references.rs"]
mod references;
#[cfg(test)]
#[path = "goldens/world.rs"]
mod world;
