//! The on-disk hand-over of container output from the shim to the agent.
