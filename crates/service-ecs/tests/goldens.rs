//! What every operation answers, byte for byte: `tests/wire/ecs/OPERATION/CASE.json`.
//!
//! A case is a list of steps, run in order on a new, empty control plane whose time stands still
//! and whose identifiers are the same in every run:
//!
//! - `{"call": "CreateCluster", "request": {…}, "status": 200, "response": {…}}`; instead of
//!   `request`, `body` is a text that may be no JSON; a text `$STEP/POINTER` in a request stands for
//!   that part of an earlier answer: `$2/tasks/0/taskArn`;
//! - `{"container_instance": {"id": "…"}}` registers an instance, as a node does: members of the
//!   record may be given over the usual ones;
//! - `{"task": {…}}` changes members of every task's record, as a node's report does;
//! - `{"advance_ms": 1000}` moves the time.
//!
//! With `UPDATE_GOLDENS=1`, statuses and responses are written instead of compared: read the
//! difference before you keep it.

#[cfg(test)]
#[path = "goldens/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "goldens/placements.rs"]
mod placements;
#[cfg(test)]
#[path = "goldens/registrations.rs"]
mod registrations;
#[cfg(test)]
#[path = "goldens/world.rs"]
mod world;
