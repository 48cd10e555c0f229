//! HTTP in front of every API: limits, routing, authentication, dispatch.
