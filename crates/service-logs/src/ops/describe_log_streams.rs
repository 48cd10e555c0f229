//! `DescribeLogStreams`.

use api_logs::ops::DescribeLogStreams;
use api_logs::types::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};
use logstore::{StreamInfo, StreamOrder, StreamQuery};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::{invalid_parameter, invalid_token};
use crate::{LogsContext, access, name};

/// The most streams of an answer, and how many there are when nothing is asked.
const PAGE_LIMIT: usize = 50;

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &DescribeLogStreamsRequest,
) -> Vec<Access> {
    let identifier = input.log_group_identifier.as_deref();
    vec![access::group::<DescribeLogStreams>(ctx, input.log_group_name.as_deref(), identifier)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<DescribeLogStreams>,
) -> Result<DescribeLogStreamsResponse, ApiError> {
    let (_, input) = call.into_parts();
    let identifier = input.log_group_identifier.as_deref();
    let group = name::group(&ctx.scope, input.log_group_name.as_deref(), identifier)?;
    let order = match input.order_by {
        Some(OrderBy::LastEventTime) => StreamOrder::LastEvent,
        Some(OrderBy::LogStreamName | OrderBy::Unrecognized(_)) | None => StreamOrder::Name,
    };
    if order == StreamOrder::LastEvent && input.log_stream_name_prefix.is_some() {
        return Err(invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let after = input.next_token.as_deref().map(read_token).transpose()?;
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_LIMIT);
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let descending = input.descending.unwrap_or_default();
    let of_group = group.clone();
    let page = ctx
        .with_store(move |store| {
            let after = after.as_ref().map(|(last_event_ms, name)| (*last_event_ms, name.as_str()));
            let query = StreamQuery { prefix: &prefix, order, descending, after, limit };
            store.streams(&of_group, &query)
        })
        .await?;
    let render = |stream: StreamInfo| LogStream {
        arn: Some(name::stream_arn(&ctx.scope, &group, &stream.name)),
        creation_time: Some(stream.created_ms),
        first_event_timestamp: stream.first_event_ms,
        last_event_timestamp: stream.last_event_ms,
        last_ingestion_time: stream.last_ingestion_ms,
        // AWS reports no sizes of streams any more, only of groups.
        stored_bytes: Some(0),
        log_stream_name: Some(stream.name),
        upload_sequence_token: None,
    };
    Ok(DescribeLogStreamsResponse {
        next_token: page.streams.last().filter(|_| page.more).map(write_token),
        log_streams: Some(page.streams.into_iter().map(render).collect()),
    })
}

/// A token has what either order needs to go on: the last event's time, or `-`, and the name.
fn write_token(last: &StreamInfo) -> String {
    match last.last_event_ms {
        Some(last_event_ms) => format!("{last_event_ms}/{}", last.name),
        None => format!("-/{}", last.name),
    }
}

fn read_token(token: &str) -> Result<(Option<i64>, String), ApiError> {
    let (last_event_ms, name) = token.split_once('/').ok_or_else(invalid_token)?;
    let last_event_ms = match last_event_ms {
        "-" => None,
        number => Some(number.parse().map_err(|_| invalid_token())?),
    };
    Ok((last_event_ms, name.to_owned()))
}
