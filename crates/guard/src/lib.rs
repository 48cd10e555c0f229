//! Security rules: what a task definition may not ask for, and what to do instead.
//!
//! [`evaluate`] applies every rule of the [registry](rules()) to a [`TaskDefinitionView`] and returns
//! all findings at once. It runs at registration and again at start, on the definition with the
//! call's overrides applied. Each rule is one file with its texts, check and examples; the registry
//! has one line for it.
//!
//! Nothing here does I/O. A rule sees only the view: what is not in it cannot be judged.

mod registry;
mod rule;
mod rules;
mod text;
mod verdict;
mod view;

pub use registry::{explain, rules};
pub use rule::{Disposition, Finding, Rule, Severity};
pub use verdict::{MAX_LISTED_FINDINGS, Mode, ParseModeError, Verdict, evaluate};
pub use view::{ContainerView, DeviceView, MountPointView, TaskDefinitionView, VolumeView};

#[cfg(test)]
mod tests;
