//! `PutLogEvents`.

use api_logs::ops::PutLogEvents;
use api_logs::types::{PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo};
use logstore::{Durability, EventRef, PutOutcome};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use crate::{LogsContext, access};

pub(crate) fn accesses(
    ctx: &LogsContext,
    _caller: &Caller,
    input: &PutLogEventsRequest,
) -> Vec<Access> {
    let (group, stream) = (input.log_group_name.as_deref(), input.log_stream_name.as_deref());
    vec![access::stream::<PutLogEvents>(ctx, group, None, stream)]
}

pub(crate) async fn execute(
    ctx: &LogsContext,
    call: Authorized<PutLogEvents>,
) -> Result<PutLogEventsResponse, ApiError> {
    let (_, input) = call.into_parts();
    let group = input.log_group_name.unwrap_or_default();
    let stream = input.log_stream_name.unwrap_or_default();
    let events = input.log_events.unwrap_or_default();
    let outcome = ctx
        .with_store(move |store| {
            let events: Vec<EventRef<'_>> = events
                .iter()
                .map(|event| EventRef {
                    timestamp_ms: event.timestamp.unwrap_or_default(),
                    message: event.message.as_deref().unwrap_or_default().as_bytes(),
                })
                .collect();
            store.put(&group, &stream, &events, Durability::Fsync)
        })
        .await?;
    let rejected_log_events_info = (outcome != PutOutcome::default()).then(|| {
        let index = |index: Option<usize>| index.and_then(|index| i32::try_from(index).ok());
        RejectedLogEventsInfo {
            too_new_log_event_start_index: index(outcome.too_new_start),
            too_old_log_event_end_index: index(outcome.too_old_end),
            expired_log_event_end_index: index(outcome.expired_end),
        }
    });
    // Sequence tokens mean nothing any more; neither are they asked for nor given.
    Ok(PutLogEventsResponse { rejected_log_events_info, ..PutLogEventsResponse::default() })
}
