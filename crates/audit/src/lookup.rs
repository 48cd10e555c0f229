//! Finds records.

use std::collections::VecDeque;

use base::{AccountId, Timestamp};
use serde::Deserialize;

use crate::AuditError;
use crate::catalog::Catalog;
use crate::log::each_line;

/// What one call looks at, at most, in bytes of records.
const MAX_SCAN_BYTES: usize = 64 << 20;

/// What records are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `AccessKeyId`.
    AccessKeyId(String),
    /// `EventId`.
    EventId(String),
    /// `EventName`.
    EventName(String),
    /// `EventSource`: `ecs.amazonaws.com`.
    EventSource(String),
    /// `ReadOnly`.
    ReadOnly(bool),
    /// `ResourceName`: an ARN, or what comes last in it.
    ResourceName(String),
    /// `ResourceType`: `AWS::ECS::Cluster`.
    ResourceType(String),
    /// `Username`: of a user; of a role's session, the session's name; or `root`.
    Username(String),
}

/// Which records, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Those of this account.
    pub account: AccountId,
    /// That have this.
    pub attribute: Option<Attribute>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
    /// Numbered less than this: where an earlier page ended.
    pub before: Option<u64>,
    /// At most so many.
    pub max: usize,
}

/// A resource that a record names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Resource {
    /// Its ARN.
    #[serde(rename = "ARN")]
    pub arn: String,
    /// Its type: `AWS::ECS::Cluster`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub sequence: u64,
    /// Its id, a UUID.
    pub event_id: String,
    /// What happened.
    pub event_name: String,
    /// The service: `ecs.amazonaws.com`.
    pub event_source: String,
    /// When.
    pub time: Timestamp,
    /// Whether it changed nothing.
    pub read_only: bool,
    /// Who; see [`Attribute::Username`].
    pub username: Option<String>,
    /// Signed with which key.
    pub access_key_id: Option<String>,
    /// On what.
    pub resources: Vec<Resource>,
    /// The whole record: a JSON object.
    pub text: String,
}

/// Records, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Those found.
    pub events: Vec<Event>,
    /// The `before` of the next page, if there may be more.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: String,
    event_source: String,
    read_only: bool,
    recipient_account_id: String,
    user_identity: Identity,
    #[serde(default)]
    resources: Vec<Resource>,
    portcullis: crate::chain::Link,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "type")]
    kind: String,
    principal_id: Option<String>,
    access_key_id: Option<String>,
    user_name: Option<String>,
}

impl Identity {
    fn username(&self) -> Option<String> {
        match self.kind.as_str() {
            "Root" => Some("root".to_owned()),
            "AssumedRole" => {
                let id = self.principal_id.as_deref()?;
                id.split_once(':').map(|(_, session)| session.to_owned())
            }
            _ => self.user_name.clone(),
        }
    }
}

impl Attribute {
    /// A text that every record with this attribute contains, if that is easy to say.
    fn needle(&self) -> Option<Vec<u8>> {
        let text = match self {
            Self::AccessKeyId(text)
            | Self::EventId(text)
            | Self::EventName(text)
            | Self::EventSource(text)
            | Self::ResourceName(text)
            | Self::ResourceType(text)
            | Self::Username(text) => text,
            Self::ReadOnly(value) => return Some(format!("\"readOnly\":{value}").into_bytes()),
        };
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        text.bytes().all(is_plain).then(|| text.clone().into_bytes())
    }

    fn fits(&self, line: &Line) -> bool {
        match self {
            Self::AccessKeyId(id) => line.user_identity.access_key_id.as_ref() == Some(id),
            Self::EventId(id) => line.event_id == *id,
            Self::EventName(name) => line.event_name == *name,
            Self::EventSource(source) => line.event_source == *source,
            Self::ReadOnly(value) => line.read_only == *value,
            Self::ResourceName(name) => line.resources.iter().any(|resource| {
                let arn = resource.arn.as_str();
                arn == name
                    || arn
                        .strip_suffix(name.as_str())
                        .is_some_and(|rest| rest.ends_with(['/', ':']))
            }),
            Self::ResourceType(kind) => {
                line.resources.iter().any(|resource| resource.kind.as_ref() == Some(kind))
            }
            // The root is not called so in its records.
            Self::Username(name) => line.user_identity.username().as_ref() == Some(name),
        }
    }
}

impl Query {
    fn find(&self, line: &[u8], needles: &[Vec<u8>]) -> Option<Event> {
        if !needles.iter().all(|needle| memchr::memmem::find(line, needle).is_some()) {
            return None;
        }
        let read: Line = serde_json::from_slice(line).ok()?;
        let time = Timestamp::from_epoch_ms(read.portcullis.time_ms);
        let fits = read.recipient_account_id == self.account.as_str()
            && self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time <= to)
            && self.attribute.as_ref().is_none_or(|attribute| attribute.fits(&read));
        fits.then(|| Event {
            sequence: read.portcullis.sequence,
            event_id: read.event_id,
            event_name: read.event_name,
            event_source: read.event_source,
            time,
            read_only: read.read_only,
            username: read.user_identity.username(),
            access_key_id: read.user_identity.access_key_id,
            resources: read.resources,
            text: String::from_utf8_lossy(line).into_owned(),
        })
    }
}

pub(crate) fn lookup(catalog: &Catalog, query: &Query) -> Result<Page, AuditError> {
    let (segments, last) = catalog.all();
    let before = query.before.unwrap_or(u64::MAX).min(last.saturating_add(1));
    let mut needles = vec![query.account.as_str().as_bytes().to_vec()];
    let is_root = query.attribute == Some(Attribute::Username("root".to_owned()));
    let needle = query.attribute.as_ref().and_then(Attribute::needle);
    needles.extend(needle.filter(|_| !is_root));
    let mut page = Page::default();
    let mut scanned = 0_usize;
    for segment in segments.iter().rev().filter(|segment| segment.first < before) {
        let misses = segment.span.is_some_and(|span| {
            query.from.is_some_and(|from| span.to_ms < from.as_epoch_ms())
                || query.to.is_some_and(|to| span.from_ms > to.as_epoch_ms())
        });
        if misses {
            continue;
        }
        if scanned >= MAX_SCAN_BYTES {
            page.next = Some(segment.span.map_or(before, |span| span.last.saturating_add(1)));
            return Ok(page);
        }
        let wanted = query.max.saturating_sub(page.events.len());
        let mut found: VecDeque<Event> = VecDeque::new();
        let mut sequence = segment.first;
        let mut has_more = false;
        each_line(segment, |line| {
            if sequence >= before {
                return Ok(false);
            }
            sequence = sequence.saturating_add(1);
            scanned = scanned.saturating_add(line.len());
            if let Some(event) = query.find(line, &needles) {
                found.push_back(event);
                if found.len() > wanted {
                    found.pop_front();
                    has_more = true;
                }
            }
            Ok(true)
        })?;
        page.events.extend(found.into_iter().rev());
        if has_more || page.events.len() >= query.max {
            page.next = page.events.last().map(|event| event.sequence);
            return Ok(page);
        }
    }
    Ok(page)
}
