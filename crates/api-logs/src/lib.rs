//! GENERATED from the AWS service model: CloudWatch Logs types and operations.
