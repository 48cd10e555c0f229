//! The agent on a machine that runs tasks.
