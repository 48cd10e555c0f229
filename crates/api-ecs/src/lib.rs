//! GENERATED from the AWS service model: Amazon ECS types and operations.
