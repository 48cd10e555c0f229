//! Runs the reconcilers: watch, snapshot, plan, commit.
