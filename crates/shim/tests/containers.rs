//! Real containers through the driver and the shim. Needs root; without it, every test says so
//! and passes.
//!
//! The image is the machine's static busybox.

#[cfg(test)]
#[path = "containers/isolation.rs"]
mod isolation;
#[cfg(test)]
#[path = "containers/life.rs"]
mod life;
#[cfg(test)]
#[path = "containers/limits.rs"]
mod limits;
#[cfg(test)]
#[path = "containers/output.rs"]
mod output;
#[cfg(test)]
#[path = "containers/world.rs"]
mod world;
