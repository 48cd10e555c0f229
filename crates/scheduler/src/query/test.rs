//! One test of one fact about an instance.

use std::cmp::Ordering;

use base::Timestamp;
use regex::Regex;

use crate::Instance;

/// What is asked about.
#[derive(Debug)]
pub(super) enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// What must hold of the subject. A subject with several values (task groups) satisfies a
/// condition when one of them does.
#[derive(Debug)]
pub(super) enum Condition {
    Exists,
    OneOf(Vec<String>),
    Matches(Regex),
    Text(Comparison, String),
    Version(Comparison, Version),
    Count(Comparison, u64),
    Moment(Comparison, Moment),
}

#[derive(Debug)]
pub(super) struct Test {
    pub(super) subject: Subject,
    pub(super) condition: Condition,
    pub(super) negated: bool,
}

impl Test {
    pub(super) fn holds(&self, instance: &Instance) -> bool {
        let condition = &self.condition;
        let holds = match &self.subject {
            Subject::AgentConnected => {
                condition.holds_of_text(if instance.agent_connected { "true" } else { "false" })
            }
            Subject::AgentVersion => condition.holds_of_text(&instance.agent_version),
            Subject::Attribute(name) => match instance.attributes.get(name) {
                None => false,
                Some(None) => matches!(condition, Condition::Exists),
                Some(Some(value)) => condition.holds_of_text(value),
            },
            Subject::Ec2InstanceId => {
                instance.ec2_instance_id.as_ref().is_some_and(|id| condition.holds_of_text(id))
            }
            Subject::RegisteredAt => condition.holds_at(instance.registered_at),
            Subject::RunningTasksCount => condition.holds_of_count(instance.running_tasks.into()),
            Subject::TaskGroup => instance
                .tasks_by_group
                .iter()
                .any(|(group, count)| *count > 0 && condition.holds_of_text(group)),
        };
        holds != self.negated
    }
}

impl Condition {
    fn holds_of_text(&self, text: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::OneOf(values) => values.iter().any(|value| value == text),
            Self::Matches(pattern) => pattern.is_match(text),
            Self::Text(comparison, value) => comparison.allows(compare_text(text, value)),
            Self::Version(comparison, value) => {
                Version::parse(text).is_some_and(|version| comparison.allows(version.cmp(value)))
            }
            Self::Count(..) | Self::Moment(..) => false,
        }
    }

    fn holds_of_count(&self, count: u64) -> bool {
        match self {
            Self::Count(comparison, value) => comparison.allows(count.cmp(value)),
            Self::Exists
            | Self::OneOf(_)
            | Self::Matches(_)
            | Self::Text(..)
            | Self::Version(..)
            | Self::Moment(..) => false,
        }
    }

    fn holds_at(&self, timestamp: Timestamp) -> bool {
        match self {
            Self::Moment(comparison, moment) => comparison.allows(moment.compare(timestamp)),
            Self::Exists
            | Self::OneOf(_)
            | Self::Matches(_)
            | Self::Text(..)
            | Self::Version(..)
            | Self::Count(..) => false,
        }
    }
}

/// As numbers when both are, as text otherwise.
fn compare_text(left: &str, right: &str) -> Ordering {
    let numbers = left.parse::<f64>().ok().zip(right.parse::<f64>().ok());
    numbers.and_then(|(left, right)| left.partial_cmp(&right)).unwrap_or_else(|| left.cmp(right))
}

/// Numbers separated by dots; missing ones count as zero, so `1.2` equals `1.2.0`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<u64>);

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut numbers: Vec<u64> =
            text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(Self(numbers))
    }
}

/// A stretch of time as precise as it was written: a day, a second or a millisecond.
#[derive(Debug)]
pub(super) struct Moment {
    start: Timestamp,
    end: Timestamp,
}

impl Moment {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self::from(instant, if text.contains('.') { 1 } else { 1000 }));
        }
        let (date_time, length_ms) = if text.contains(['T', ' ']) {
            let length_ms = if text.contains('.') { 1 } else { 1000 };
            (text.parse::<jiff::civil::DateTime>().ok()?, length_ms)
        } else {
            (text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0), 24 * 3600 * 1000)
        };
        let instant = date_time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Self::from(instant, length_ms))
    }

    fn from(instant: jiff::Timestamp, length_ms: i64) -> Self {
        let start = Timestamp::from_epoch_ms(instant.as_millisecond());
        Self { start, end: start.plus_ms(length_ms) }
    }

    /// How the timestamp lies to this stretch.
    fn compare(&self, timestamp: Timestamp) -> Ordering {
        if timestamp < self.start {
            Ordering::Less
        } else if timestamp < self.end {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }
}
