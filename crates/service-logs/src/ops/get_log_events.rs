//! `GetLogEvents`.

use api_logs::ops::GetLogEvents;
use api_logs::types::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use logstore::{Direction, Event, GetQuery};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{LogsContext, access, error, name, token};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &GetLogEventsRequest,
) -> Vec<Access> {
    let (name, identifier) =
        (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    vec![access::stream::<GetLogEvents>(ctx, name, identifier, input.log_stream_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<GetLogEvents>,
) -> Result<GetLogEventsResponse, ApiError> {
    let (_, input) = call.into_parts();
    let identifier = input.log_group_identifier.as_deref();
    let group = name::group(&ctx.scope, input.log_group_name.as_deref(), identifier)?;
    let stream = input.log_stream_name.unwrap_or_default();
    let (direction, place) = match input.next_token.as_deref() {
        Some(text) => {
            let (direction, place) = token::read(text)?;
            (direction, Some(place))
        }
        None => (token::direction(input.start_from_head.unwrap_or(false)), None),
    };
    let query = GetQuery {
        start_ms: input.start_time,
        end_ms: input.end_time,
        direction,
        place,
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX),
    };
    let page = ctx.with_store(move |store| store.get(&group, &stream, &query)).await?;
    error::report(&page.damage);
    // At either end of the stream both tokens are the place that was asked for.
    Ok(GetLogEventsResponse {
        next_forward_token: Some(token::write(Direction::Forward, page.after)),
        next_backward_token: Some(token::write(Direction::Backward, page.before)),
        events: Some(page.events.into_iter().map(render).collect()),
    })
}

fn render(event: Event) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(event.timestamp_ms),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion_ms),
    }
}
