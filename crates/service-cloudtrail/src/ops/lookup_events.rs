//! `LookupEvents`: the audit log of the caller's account, newest first.

use api_cloudtrail::ops::LookupEvents;
use api_cloudtrail::types::{
    Event, LookupAttribute, LookupAttributeKey, LookupEventsRequest, LookupEventsResponse, Resource,
};
use policy::{Access, Authorized, Caller};
use wire::ApiError;

use api_cloudtrail::errors;
use audit::{Attribute, Query};
use base::AccountId;

use crate::CloudTrailContext;
use crate::error::unavailable;

/// Events on a page, as in AWS.
const MAX_RESULTS: i32 = 50;

pub(crate) fn accesses(
    _ctx: &CloudTrailContext,
    _caller: &Caller,
    _input: &LookupEventsRequest,
) -> Vec<Access> {
    vec![Access::of::<LookupEvents>("*")]
}

pub(crate) async fn execute(
    ctx: &CloudTrailContext,
    call: Authorized<LookupEvents>,
) -> Result<LookupEventsResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let query = query(caller.principal.account.clone(), &input)?;
    let log = ctx.audit.clone();
    let found = tokio::task::spawn_blocking(move || log.lookup(&query)).await;
    let page = match found {
        Ok(Ok(page)) => page,
        Ok(Err(error)) => {
            tracing::error!(reason = error.reason(), "the audit log cannot be read");
            return Err(unavailable());
        }
        Err(_) => return Err(unavailable()),
    };
    Ok(LookupEventsResponse {
        events: Some(page.events.into_iter().map(render).collect()),
        next_token: page.next.map(|next| next.to_string()),
    })
}

fn query(account: AccountId, input: &LookupEventsRequest) -> Result<Query, ApiError> {
    if input.event_category.is_some() {
        let message = "There are no insights events here: leave EventCategory out.";
        return Err(errors::INVALID_EVENT_CATEGORY_EXCEPTION.error(message));
    }
    if let (Some(start), Some(end)) = (input.start_time, input.end_time)
        && start > end
    {
        let message = "The start time must be before the end time.";
        return Err(errors::INVALID_TIME_RANGE_EXCEPTION.error(message));
    }
    let max = input.max_results.unwrap_or(MAX_RESULTS);
    if !(1..=MAX_RESULTS).contains(&max) {
        let message = format!("MaxResults must be between 1 and {MAX_RESULTS}.");
        return Err(errors::INVALID_MAX_RESULTS_EXCEPTION.error(message));
    }
    let invalid_token =
        |_| errors::INVALID_NEXT_TOKEN_EXCEPTION.error("The token is not one of an earlier page.");
    let before = input.next_token.as_deref().map(str::parse).transpose().map_err(invalid_token)?;
    let attribute = match input.lookup_attributes.as_deref() {
        None | Some([]) => None,
        Some([attribute]) => Some(self::attribute(attribute)?),
        Some(_) => return Err(invalid_attribute("You can only look up events by one attribute.")),
    };
    Ok(Query {
        account,
        attribute,
        from: input.start_time,
        to: input.end_time,
        before,
        max: usize::try_from(max).unwrap_or_default(),
    })
}

fn invalid_attribute(message: &str) -> ApiError {
    errors::INVALID_LOOKUP_ATTRIBUTES_EXCEPTION.error(message)
}

fn attribute(attribute: &LookupAttribute) -> Result<Attribute, ApiError> {
    let value = attribute.attribute_value.clone().unwrap_or_default();
    if value.is_empty() || value.len() > 2000 {
        return Err(invalid_attribute("The attribute's value must have 1 to 2000 characters."));
    }
    Ok(match &attribute.attribute_key {
        Some(LookupAttributeKey::AccessKeyId) => Attribute::AccessKeyId(value),
        Some(LookupAttributeKey::EventId) => Attribute::EventId(value),
        Some(LookupAttributeKey::EventName) => Attribute::EventName(value),
        Some(LookupAttributeKey::EventSource) => Attribute::EventSource(value),
        Some(LookupAttributeKey::ReadOnly) => match value.as_str() {
            "true" => Attribute::ReadOnly(true),
            "false" => Attribute::ReadOnly(false),
            _ => return Err(invalid_attribute("ReadOnly is `true` or `false`.")),
        },
        Some(LookupAttributeKey::ResourceName) => Attribute::ResourceName(value),
        Some(LookupAttributeKey::ResourceType) => Attribute::ResourceType(value),
        Some(LookupAttributeKey::Username) => Attribute::Username(value),
        Some(LookupAttributeKey::Unrecognized(_)) | None => {
            return Err(invalid_attribute("There is no such attribute."));
        }
    })
}

fn render(event: audit::Event) -> Event {
    let resources = event.resources.into_iter().map(|resource| Resource {
        resource_name: Some(resource.arn),
        resource_type: resource.kind,
    });
    Event {
        event_id: Some(event.event_id),
        event_name: Some(event.event_name),
        event_source: Some(event.event_source),
        event_time: Some(event.time),
        read_only: Some(event.read_only.to_string()),
        username: event.username,
        access_key_id: event.access_key_id,
        resources: Some(resources.collect()),
        cloud_trail_event: Some(event.text),
    }
}
