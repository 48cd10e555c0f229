//! Timestamps on the wire: epoch seconds in JSON, ISO 8601 in awsQuery and XML.

use std::fmt;

use base::Timestamp;
use serde::de::{self, MapAccess};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name under which a timestamp passes through a serializer, so that XML can tell it from
/// another number.
pub(crate) const NEWTYPE: &str = "$wire::Timestamp";

struct WireTimestamp(Timestamp);

impl Serialize for WireTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NEWTYPE, &self.0.as_epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for WireTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WireTimestampVisitor)
    }
}

struct WireTimestampVisitor;

impl de::Visitor<'_> for WireTimestampVisitor {
    type Value = WireTimestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp (seconds since 1970, or ISO 8601)")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<WireTimestamp, E> {
        Ok(WireTimestamp(Timestamp::default().plus_seconds(seconds)))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<WireTimestamp, E> {
        self.visit_i64(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<WireTimestamp, E> {
        Ok(WireTimestamp(Timestamp::from_epoch_seconds(seconds)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WireTimestamp, E> {
        text.parse::<jiff::Timestamp>()
            .map(|parsed| WireTimestamp(Timestamp::from_epoch_ms(parsed.as_millisecond())))
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// Reads a timestamp member; null reads as absent.
///
/// # Errors
/// When the value is neither a number nor an ISO 8601 text.
pub fn read_timestamp<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Timestamp>, A::Error> {
    Ok(map.next_value::<Option<WireTimestamp>>()?.map(|read| read.0))
}

/// Writes a timestamp member if it is present.
///
/// # Errors
/// Whatever the serializer answers.
pub fn put_timestamp<S: SerializeStruct>(
    out: &mut S,
    name: &'static str,
    value: Option<Timestamp>,
) -> Result<(), S::Error> {
    crate::put(out, name, &value.map(WireTimestamp))
}
