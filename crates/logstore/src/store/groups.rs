//! Groups and streams: creating, deleting, describing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::PoisonError;

use super::append::is_offered;
use super::{Contents, LogStore};
use crate::LogError;
use crate::catalog::{Change, Group, GroupInfo, StreamInfo};

/// The retentions that CloudWatch Logs offers, in days.
pub const RETENTION_DAYS: [u32; 23] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653, 36_500,
];

const TAG_LIMIT: usize = 50;

/// By what [`LogStore::streams`] orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamOrder {
    /// By name, as bytes.
    Name,
    /// By the latest timestamp of their events, streams without events first; then by name.
    LastEvent,
}

/// Which streams [`LogStore::streams`] describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamQuery<'a> {
    /// Only streams whose names begin with this; empty for all.
    pub prefix: &'a str,
    /// The order.
    pub order: StreamOrder,
    /// Whether the order is reversed.
    pub descending: bool,
    /// The last stream of the page before: its last event's timestamp and its name.
    pub after: Option<(Option<i64>, &'a str)>,
    /// How many at most.
    pub limit: usize,
}

/// Streams, and whether more follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// In the order asked for.
    pub streams: Vec<StreamInfo>,
    /// Whether more follow.
    pub more: bool,
}

/// Groups, and whether more follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPage {
    /// By name.
    pub groups: Vec<GroupInfo>,
    /// Whether more follow.
    pub more: bool,
}

impl LogStore {
    /// Creates a group that keeps its events for ever.
    ///
    /// # Errors
    /// [`LogError::GroupExists`], [`LogError::TooManyTags`], [`LogError::Io`],
    /// [`LogError::Stopped`].
    pub fn create_group(&self, name: &str, tags: BTreeMap<String, String>) -> Result<(), LogError> {
        let created_ms = self.now_ms();
        self.change(|state| {
            if state.contents.catalog.groups.contains_key(name) {
                return Err(LogError::GroupExists(name.to_owned()));
            }
            check_tags(name, &tags)?;
            Ok(Some(Change::CreateGroup { name: name.to_owned(), created_ms, tags }))
        })
    }

    /// Deletes a group with its streams and their events.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::Io`], [`LogError::Stopped`].
    pub fn delete_group(&self, name: &str) -> Result<(), LogError> {
        self.change(|state| {
            state.contents.group(name)?;
            Ok(Some(Change::DeleteGroup { name: name.to_owned() }))
        })
    }

    /// Sets how many days a group keeps its events; `None` for ever.
    ///
    /// # Errors
    /// [`LogError::Retention`] for a number not in [`RETENTION_DAYS`],
    /// [`LogError::GroupNotFound`], [`LogError::Io`], [`LogError::Stopped`].
    pub fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), LogError> {
        if let Some(days) = days
            && !is_offered(days)
        {
            return Err(LogError::Retention(days));
        }
        self.change(|state| {
            state.contents.group(name)?;
            Ok(Some(Change::SetRetention { name: name.to_owned(), days }))
        })
    }

    /// Adds tags to a group; a key that is there gets the new value.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`]; [`LogError::TooManyTags`] for more than 50 in all;
    /// [`LogError::Io`], [`LogError::Stopped`].
    pub fn tag(&self, name: &str, tags: BTreeMap<String, String>) -> Result<(), LogError> {
        self.change(|state| {
            let mut all = state.contents.group(name)?.tags.clone();
            all.extend(tags);
            check_tags(name, &all)?;
            Ok(Some(Change::SetTags { name: name.to_owned(), tags: all }))
        })
    }

    /// Removes tags from a group; keys that are not there do not matter.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::Io`], [`LogError::Stopped`].
    pub fn untag(&self, name: &str, keys: &[String]) -> Result<(), LogError> {
        self.change(|state| {
            let mut left = state.contents.group(name)?.tags.clone();
            left.retain(|key, _| !keys.contains(key));
            Ok(Some(Change::SetTags { name: name.to_owned(), tags: left }))
        })
    }

    /// The tags of a group, none when it is not there. Never waits for the disk.
    pub fn tags_of(&self, name: &str) -> BTreeMap<String, String> {
        let tags = self.inner.tags.read().unwrap_or_else(PoisonError::into_inner);
        tags.get(name).cloned().unwrap_or_default()
    }

    /// Keeps what [`LogStore::tags_of`] answers in step with a change under way.
    pub(super) fn note_tags(&self, change: &Change) {
        let (name, new) = match change {
            Change::CreateGroup { name, tags, .. } | Change::SetTags { name, tags } => (name, tags),
            Change::DeleteGroup { name } => (name, &BTreeMap::new()),
            Change::SetRetention { .. }
            | Change::CreateStream { .. }
            | Change::DeleteStream { .. } => return,
        };
        let mut tags = self.inner.tags.write().unwrap_or_else(PoisonError::into_inner);
        if new.is_empty() {
            tags.remove(name);
        } else {
            tags.insert(name.clone(), new.clone());
        }
    }

    /// Describes one group.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`].
    pub fn group(&self, name: &str) -> Result<GroupInfo, LogError> {
        let state = self.state();
        let group = state.contents.group(name)?;
        Ok(state.contents.describe_group(name, group))
    }

    /// Describes the groups that `select` chooses by name, `limit` at most, from the first after
    /// the name `after` on.
    pub fn groups(
        &self,
        select: impl Fn(&str) -> bool,
        after: Option<&str>,
        limit: usize,
    ) -> GroupPage {
        let state = self.state();
        let contents = &state.contents;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = contents.catalog.groups.range::<str, _>((from, Bound::Unbounded));
        let mut chosen = range.filter(|(name, _)| select(name));
        let groups = chosen
            .by_ref()
            .take(limit)
            .map(|(name, group)| contents.describe_group(name, group))
            .collect();
        GroupPage { groups, more: chosen.next().is_some() }
    }

    /// Creates a stream in a group.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::StreamExists`], [`LogError::Io`],
    /// [`LogError::Stopped`].
    pub fn create_stream(&self, group: &str, name: &str) -> Result<(), LogError> {
        let created_ms = self.now_ms();
        self.change(|state| {
            let (group, name) = (group.to_owned(), name.to_owned());
            if state.contents.group(&group)?.streams.contains_key(&name) {
                return Err(LogError::StreamExists { group, stream: name });
            }
            let stream = state.contents.catalog.next_stream;
            Ok(Some(Change::CreateStream { group, name, created_ms, stream }))
        })
    }

    /// Deletes a stream with its events.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`], [`LogError::StreamNotFound`], [`LogError::Io`],
    /// [`LogError::Stopped`].
    pub fn delete_stream(&self, group: &str, name: &str) -> Result<(), LogError> {
        self.change(|state| {
            state.contents.stream_id(group, name)?;
            Ok(Some(Change::DeleteStream { group: group.to_owned(), name: name.to_owned() }))
        })
    }

    /// Describes streams of a group, a page at a time.
    ///
    /// # Errors
    /// [`LogError::GroupNotFound`].
    pub fn streams(&self, group: &str, query: &StreamQuery<'_>) -> Result<StreamPage, LogError> {
        let state = self.state();
        let contents = &state.contents;
        let found = contents.group(group)?;
        let rank = |last_event_ms: Option<i64>, name: &str| {
            let by_event = match query.order {
                StreamOrder::Name => None,
                StreamOrder::LastEvent => last_event_ms,
            };
            (by_event, name.to_owned())
        };
        let mut chosen: BTreeSet<((Option<i64>, String), u64)> = found
            .streams
            .range::<str, _>((Bound::Included(query.prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(query.prefix))
            .map(|(name, id)| (rank(contents.event_bounds(*id).map(|(_, last)| last), name), *id))
            .collect();
        if let Some((last_event_ms, name)) = query.after {
            let seen = rank(last_event_ms, name);
            chosen.retain(|(rank, _)| if query.descending { *rank < seen } else { *rank > seen });
        }
        let more = chosen.len() > query.limit;
        let describe = |(_, id): &(_, u64)| contents.describe_stream(*id);
        let streams = if query.descending {
            chosen.iter().rev().take(query.limit).filter_map(describe).collect()
        } else {
            chosen.iter().take(query.limit).filter_map(describe).collect()
        };
        Ok(StreamPage { streams, more })
    }
}

fn check_tags(group: &str, tags: &BTreeMap<String, String>) -> Result<(), LogError> {
    if tags.len() > TAG_LIMIT {
        return Err(LogError::TooManyTags { group: group.to_owned(), count: tags.len() });
    }
    Ok(())
}

impl Contents {
    pub(super) fn group(&self, name: &str) -> Result<&Group, LogError> {
        self.catalog.groups.get(name).ok_or_else(|| LogError::GroupNotFound(name.to_owned()))
    }

    /// The earliest and latest timestamp of a stream's events.
    fn event_bounds(&self, id: u64) -> Option<(i64, i64)> {
        let segments = self.catalog.streams.get(&id).map(|stream| stream.segments.as_slice());
        let in_segments = segments.unwrap_or_default().iter();
        let tail = self.tails.get(&id).map(|tail| (tail.summary.first_ms, tail.summary.last_ms));
        in_segments
            .map(|segment| (segment.first_ms, segment.last_ms))
            .chain(tail)
            .reduce(|(first, last), next| (first.min(next.0), last.max(next.1)))
    }

    fn stored_bytes(&self, id: u64) -> u64 {
        let segments = self.catalog.streams.get(&id).map(|stream| stream.segments.as_slice());
        let in_segments: u64 =
            segments.unwrap_or_default().iter().map(|segment| segment.stored_bytes).sum();
        in_segments + self.tails.get(&id).map_or(0, |tail| tail.summary.stored_bytes)
    }

    fn describe_group(&self, name: &str, group: &Group) -> GroupInfo {
        GroupInfo {
            name: name.to_owned(),
            created_ms: group.created_ms,
            retention_days: group.retention_days,
            tags: group.tags.clone(),
            stored_bytes: group.streams.values().map(|id| self.stored_bytes(*id)).sum(),
        }
    }

    fn describe_stream(&self, id: u64) -> Option<StreamInfo> {
        let stream = self.catalog.streams.get(&id)?;
        let bounds = self.event_bounds(id);
        Some(StreamInfo {
            name: stream.name.clone(),
            created_ms: stream.created_ms,
            first_event_ms: bounds.map(|(first, _)| first),
            last_event_ms: bounds.map(|(_, last)| last),
            last_ingestion_ms: stream.last_ingestion_ms,
            stored_bytes: self.stored_bytes(id),
        })
    }
}
