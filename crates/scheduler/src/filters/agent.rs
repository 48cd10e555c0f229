//! The instance is ACTIVE and its agent can be reached.

use super::Filter;
use crate::{Instance, InstanceStatus, Request};

#[derive(Debug)]
pub(super) struct Agent;

impl Filter for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn passes(&self, instance: &Instance, _request: &Request) -> bool {
        instance.status == InstanceStatus::Active && instance.agent_connected
    }

    fn reason(&self, _request: &Request) -> String {
        "AGENT".to_owned()
    }

    fn detail(&self, instance: &Instance, _request: &Request) -> String {
        if instance.status == InstanceStatus::Active {
            "the agent is not connected: check that the node is up and reaches the control plane"
                .to_owned()
        } else {
            format!(
                "the container instance is {} and takes no new tasks: only ACTIVE ones do",
                instance.status.as_str()
            )
        }
    }
}
