//! AWS wire protocols: awsJson1.0, awsJson1.1 and awsQuery, without I/O.
