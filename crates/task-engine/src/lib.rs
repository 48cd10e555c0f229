//! Moves one task by one step: status in, status and effects out.
