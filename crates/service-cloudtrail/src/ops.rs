//! One module per operation: what it is authorised on, and what it does.

pub(crate) mod add_tags;
pub(crate) mod create_trail;
pub(crate) mod delete_trail;
pub(crate) mod describe_trails;
pub(crate) mod get_event_selectors;
pub(crate) mod get_trail;
pub(crate) mod get_trail_status;
pub(crate) mod list_tags;
pub(crate) mod list_trails;
pub(crate) mod lookup_events;
pub(crate) mod put_event_selectors;
pub(crate) mod remove_tags;
pub(crate) mod start_logging;
pub(crate) mod stop_logging;
pub(crate) mod update_trail;
