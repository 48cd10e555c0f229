//! `cargo xtask demo`: the example on a Portcullis of its own, driven by the AWS CLI.

mod stage;
mod story;

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::setup;
use crate::workspace::{Workspace, is_root, say};

use stage::Stage;

/// Set to `1`: tear everything down at the end instead of waiting for Ctrl-C.
const EXIT_VARIABLE: &str = "DEMO_EXIT";

/// Installs and builds what is missing, then tells the story; leaves nothing behind.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if !is_root()? {
        bail!("portcullis runs containers and needs root: run `sudo -E make demo`");
    }
    setup::run_all(workspace)?;
    say("building (the first time takes some minutes)");
    let built = build::build(workspace, Profile::Release)?;
    let mut stage = Stage::set(workspace, &built)?;
    let told = story::tell(&mut stage);
    if told.is_ok() && !exits() {
        story::wait_for_the_end(&stage);
    }
    // Whatever happened, nothing stays.
    let struck = stage.strike();
    told?;
    struck
}

#[expect(clippy::disallowed_methods, reason = "a development task reads its own environment")]
fn exits() -> bool {
    std::env::var(EXIT_VARIABLE).is_ok_and(|value| value == "1")
}
