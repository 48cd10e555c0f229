//! Chooses container instances for tasks and explains refusals.
