//! The store contract: revisions, transactions, watches; in memory.
