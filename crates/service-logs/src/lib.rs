//! The operations of CloudWatch Logs: one file each in `ops/`, registered in one line each here.

mod access;
mod context;
mod error;
mod name;
mod ops;
mod token;

pub use context::LogsContext;

operation::operations! {
    /// Amazon CloudWatch Logs.
    pub struct LogsService(LogsContext) for api_logs::API, of LogsContext::account {
        api_logs::ops::CreateLogGroup => ops::create_log_group,
        api_logs::ops::CreateLogStream => ops::create_log_stream,
        api_logs::ops::DeleteLogGroup => ops::delete_log_group,
        api_logs::ops::DeleteLogStream => ops::delete_log_stream,
        api_logs::ops::DeleteRetentionPolicy => ops::delete_retention_policy,
        api_logs::ops::DescribeLogGroups => ops::describe_log_groups,
        api_logs::ops::DescribeLogStreams => ops::describe_log_streams,
        api_logs::ops::FilterLogEvents => ops::filter_log_events,
        api_logs::ops::GetLogEvents => ops::get_log_events,
        api_logs::ops::ListTagsForResource => ops::list_tags_for_resource,
        api_logs::ops::PutLogEvents => ops::put_log_events,
        api_logs::ops::PutRetentionPolicy => ops::put_retention_policy,
        api_logs::ops::TagResource => ops::tag_resource,
        api_logs::ops::UntagResource => ops::untag_resource,
    }
}

#[cfg(test)]
mod tests;
