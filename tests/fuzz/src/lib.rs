//! Feeds mutated inputs to everything that reads what others wrote.
//!
//! A [`Target`] is a function that an input must not make panic, use more than [`CPU_LIMIT`] or grow
//! by more than [`MEMORY_LIMIT_KIB`]; it checks round trips by itself. A [`campaign`] runs the
//! target's corpus, `corpus/NAME/*`, and then mutations of it: cuts, copies, flips, splices, numbers
//! at the edge and words of the target's dictionary, all from one seed. An input that behaves unlike
//! all before it (the target says how it behaved) joins the pool that is mutated.
//!
//! What fails is made small and shown as a corpus file to add. An input that ends the whole process
//! is in the file that [`Recorder`] keeps.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target fails by panicking, and what surrounds it is a test's tool"
)]

mod campaign;
mod minimise;
mod mutate;
mod random;
mod recorder;
mod run;
mod targets;

pub use campaign::{Budget, Report, campaign};
pub use recorder::Recorder;
pub use run::{CPU_LIMIT, Finding, MEMORY_LIMIT_KIB};
pub use targets::{TARGETS, Target};

/// The argument after which the program is the helper that unpacks image layers.
pub const UNPACK_ARGUMENT: &str = "unpack-layer";
