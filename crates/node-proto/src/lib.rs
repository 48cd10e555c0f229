//! Messages between the control plane and a node.
