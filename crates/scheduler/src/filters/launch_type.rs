//! The instance offers the launch type the task asks for.

use super::Filter;
use crate::{Instance, LaunchType, Request};

#[derive(Debug)]
pub(super) struct OffersLaunchType;

impl Filter for OffersLaunchType {
    fn name(&self) -> &'static str {
        "launch type"
    }

    fn passes(&self, instance: &Instance, request: &Request) -> bool {
        instance.launch_types.contains(&request.launch_type)
    }

    fn reason(&self, request: &Request) -> String {
        format!("LAUNCHTYPE:{}", request.launch_type.as_str())
    }

    fn detail(&self, _instance: &Instance, request: &Request) -> String {
        let advice = match request.launch_type {
            LaunchType::Fargate => {
                "start the node with `--fargate-isolation container` or use launch type EC2"
            }
            LaunchType::Ec2 | LaunchType::External | LaunchType::ManagedInstances => {
                "use a launch type the instance offers or add an instance that offers this one"
            }
        };
        format!(
            "the container instance does not run {} tasks: {advice}",
            request.launch_type.as_str()
        )
    }
}
