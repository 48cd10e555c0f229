//! GENERATED from the AWS service model: AWS STS types and operations.
