//! `FilterLogEvents`.

use api_logs::ops::FilterLogEvents;
use api_logs::types::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use logstore::filter::Pattern;
use logstore::{FilterQuery, FilteredEvent, StreamSelection};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::error::invalid_parameter;
use crate::{LogsContext, access, error, name, token};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &FilterLogEventsRequest,
) -> Vec<Access> {
    let identifier = input.log_group_identifier.as_deref();
    vec![access::group::<FilterLogEvents>(ctx, input.log_group_name.as_deref(), identifier)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<FilterLogEvents>,
) -> Result<FilterLogEventsResponse, ApiError> {
    let (_, input) = call.into_parts();
    let identifier = input.log_group_identifier.as_deref();
    let group = name::group(&ctx.scope, input.log_group_name.as_deref(), identifier)?;
    let names = input.log_stream_names;
    let prefix = input.log_stream_name_prefix;
    if names.is_some() && prefix.is_some() {
        return Err(invalid_parameter(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
        ));
    }
    let text = input.filter_pattern.unwrap_or_default();
    let pattern = Pattern::parse(&text)
        .map_err(|error| invalid_parameter(format!("Invalid filter pattern: {error}")))?;
    let (direction, place) = match input.next_token.as_deref() {
        Some(text) => {
            let (direction, place) = token::read(text)?;
            (direction, Some(place))
        }
        None => (token::direction(input.start_from_head.unwrap_or(true)), None),
    };
    // Unlike in GetLogEvents, an event at the end time itself is wanted.
    let end_ms = input.end_time.map(|end_ms| end_ms.saturating_add(1));
    let start_ms = input.start_time;
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let page = ctx
        .with_store(move |store| {
            let streams = match (&names, &prefix) {
                (Some(names), _) => StreamSelection::Names(names),
                (None, Some(prefix)) => StreamSelection::Prefix(prefix),
                (None, None) => StreamSelection::All,
            };
            let pattern = &pattern;
            store.filter(
                &group,
                &FilterQuery { streams, start_ms, end_ms, pattern, direction, place, limit },
            )
        })
        .await?;
    error::report(&page.damage);
    Ok(FilterLogEventsResponse {
        events: Some(page.events.into_iter().map(render).collect()),
        next_token: page.next.map(|place| token::write(direction, place)),
        // AWS has left this empty since 2020.
        searched_log_streams: Some(Vec::new()),
    })
}

fn render(found: FilteredEvent) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(found.stream.to_string()),
        timestamp: Some(found.event.timestamp_ms),
        message: Some(found.event.message),
        ingestion_time: Some(found.event.ingestion_ms),
        event_id: Some(found.id.to_string()),
    }
}
