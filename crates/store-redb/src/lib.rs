//! The store contract on one machine's disk.
