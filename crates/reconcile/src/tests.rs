//! Services in a small world that carries plans out: instances with room, tasks that come up, fail
//! and stop when told to, and a clock that stands still.

mod breaker;
mod daemon;
mod replica;
mod simulation;
mod world;
