//! What every other crate stands on: identifiers, ARNs, time and randomness.
//!
//! Nothing here reads the machine: a [`Clock`] and an [`IdSource`] are handed in by the program
//! that composes the product, or by a test.

mod arn;
mod clock;
mod id;

pub use arn::{AccountId, Arn, ParseArnError, Region, Scope};
pub use clock::{Clock, ManualClock, Timestamp};
pub use id::{IdSource, SeededIds};
