//! The operations of Amazon ECS: one file each in `ops/`, registered in one line each here.
//!
//! `read/` turns wire types into domain records, `render/` turns records into wire types; no other
//! module does either.

mod context;
mod error;
mod name;
mod page;
mod tag;

pub use context::EcsContext;
