//! `PutEventSelectors`.

use api_cloudtrail::ops::PutEventSelectors;
use api_cloudtrail::types::{PutEventSelectorsRequest, PutEventSelectorsResponse, ReadWriteType};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use api_cloudtrail::errors;

use crate::CloudTrailContext;
use crate::trail::{own_name, resource, selectors};

pub(crate) fn accesses(
    ctx: &CloudTrailContext,
    caller: &Caller,
    input: &PutEventSelectorsRequest,
) -> Vec<Access> {
    vec![Access::of::<PutEventSelectors>(resource(ctx, caller, input.trail_name.as_deref()))]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<PutEventSelectors>,
) -> Result<PutEventSelectorsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let name = own_name(ctx, &caller, input.trail_name.as_deref())?;
    let (read_events, write_events) = wanted(&input)?;
    let account = &caller.principal.account;
    let trail = ctx
        .update(account, &name, |trail| {
            (trail.read_events, trail.write_events) = (read_events, write_events);
            Ok(())
        })
        .await?;
    Ok(PutEventSelectorsResponse {
        trail_arn: Some(ctx.arn(account, &name)),
        event_selectors: Some(selectors(&trail)),
        advanced_event_selectors: None,
    })
}

/// Whether reading and writing events are to be copied.
fn wanted(input: &PutEventSelectorsRequest) -> Result<(bool, bool), ApiError> {
    let invalid = |message: &str| Err(errors::INVALID_EVENT_SELECTORS_EXCEPTION.error(message));
    if input.advanced_event_selectors.is_some() {
        return invalid("Advanced event selectors are not supported here.");
    }
    let Some([selector]) = input.event_selectors.as_deref() else {
        return invalid("Give exactly one event selector: there are no data events here.");
    };
    let is_some = |list: Option<usize>| list.is_some_and(|length| length > 0);
    if is_some(selector.data_resources.as_ref().map(Vec::len)) {
        return invalid("There are no data events here: leave DataResources out.");
    }
    if is_some(selector.exclude_management_event_sources.as_ref().map(Vec::len)) {
        return invalid("ExcludeManagementEventSources is not supported here.");
    }
    if selector.include_management_events == Some(false) {
        return invalid("A trail without management events would be empty here.");
    }
    Ok(match &selector.read_write_type {
        Some(ReadWriteType::ReadOnly) => (true, false),
        Some(ReadWriteType::WriteOnly) => (false, true),
        Some(ReadWriteType::All | ReadWriteType::Unrecognized(_)) | None => (true, true),
    })
}
