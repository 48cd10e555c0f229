//! Owns one container and outlives the agent.
fn main() {}
