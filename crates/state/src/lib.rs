//! Typed tables over the store and the projection that reads are served from.
