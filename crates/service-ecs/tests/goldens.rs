//! What every operation answers: the cases of `tests/wire/ecs`, whose steps may also be
//!
//! - `{"container_instance": {"id": "…"}}`: registers an instance, as a node does; members of the
//!   record may be given over the usual ones;
//! - `{"task": {…}}`: changes members of every task's record, as a node's report does.

#[cfg(test)]
#[path = "goldens/authorisation.rs"]
mod authorisation;
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
