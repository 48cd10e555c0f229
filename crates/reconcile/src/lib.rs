//! From a snapshot and the time to a plan; one file per reconciler.
