//! The engine against a pretended runtime: effects are carried out, events come back, the agent
//! crashes when it likes.

mod recovery;
mod stories;
mod world;
