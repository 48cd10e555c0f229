//! Runs containers: sandboxes, bundles and the shim that owns each of them.
