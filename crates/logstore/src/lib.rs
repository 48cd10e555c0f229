//! Log groups, streams and events in append-only segments.
