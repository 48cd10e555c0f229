//! The operations of AWS CloudTrail: one file each in `ops/`, registered in one line each here.
//!
//! `LookupEvents` reads the audit log itself. A trail is a copy of it for somebody else to read:
//! nothing here changes, stops or deletes the log.

mod context;
mod deliveries;
mod error;
mod ops;
mod trail;

pub use context::CloudTrailContext;
pub use deliveries::{Deliveries, Delivery};
pub use trail::directory_of;

operation::operations! {
    /// AWS CloudTrail.
    pub struct CloudTrailService(CloudTrailContext) for api_cloudtrail::API {
        api_cloudtrail::ops::AddTags => ops::add_tags,
        api_cloudtrail::ops::CreateTrail => ops::create_trail,
        api_cloudtrail::ops::DeleteTrail => ops::delete_trail,
        api_cloudtrail::ops::DescribeTrails => ops::describe_trails,
        api_cloudtrail::ops::GetEventSelectors => ops::get_event_selectors,
        api_cloudtrail::ops::GetTrail => ops::get_trail,
        api_cloudtrail::ops::GetTrailStatus => ops::get_trail_status,
        api_cloudtrail::ops::ListTags => ops::list_tags,
        api_cloudtrail::ops::ListTrails => ops::list_trails,
        api_cloudtrail::ops::LookupEvents => ops::lookup_events,
        api_cloudtrail::ops::PutEventSelectors => ops::put_event_selectors,
        api_cloudtrail::ops::RemoveTags => ops::remove_tags,
        api_cloudtrail::ops::StartLogging => ops::start_logging,
        api_cloudtrail::ops::StopLogging => ops::stop_logging,
        api_cloudtrail::ops::UpdateTrail => ops::update_trail,
    }
}
