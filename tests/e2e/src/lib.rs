//! Real clients against a real server and real containers.
//!
//! A [`World`] is a `portcullis up` of its own: state directory, port, task addresses. Tests drive
//! it with the AWS CLI and boto3, and [`World::finish`] checks that nothing is left of it.
//!
//! The programs, the clients and the example's image come from `cargo xtask test`; a test that
//! misses one says so and fails.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's helpers fail the test"
)]

mod archive;
mod boto3_image;
mod client;
mod installation;
mod leaks;
mod program;
mod wait;
mod world;

pub use archive::{Archive, busybox_image};
pub use boto3_image::boto3_image;
pub use client::{ApiError, Client, Credentials};
pub use installation::Installation;
pub use leaks::{leaks, remove_instance};
pub use program::{CommandOutput, Program, Settings, client_environment};
pub use wait::{eventually, pause};
pub use world::{World, shell, task_id};
