//! Clusters, services, tasks and their legal transitions.
