//! The date forms of signatures: `20150830T123600Z` and the `Date` header's.

use base::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Reads `20150830T123600Z`.
pub(crate) fn parse_basic(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    let number = |from: usize, length: usize| -> Option<i16> {
        bytes.get(from..from + length)?.iter().try_fold(0_i16, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i16::from(byte - b'0'))
        })
    };
    let small = |from: usize| number(from, 2).and_then(|number| i8::try_from(number).ok());
    if bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let date = Date::new(number(0, 4)?, small(4)?, small(6)?).ok()?;
    let time = jiff::civil::Time::new(small(9)?, small(11)?, small(13)?, 0).ok()?;
    let moment = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_epoch_ms(moment.as_millisecond()))
}

/// Reads a `Date` header: `Sun, 30 Aug 2015 12:36:00 GMT`, or the basic form.
pub(crate) fn parse_http(text: &str) -> Option<Timestamp> {
    parse_basic(text).or_else(|| {
        let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Timestamp::from_epoch_ms(moment.as_millisecond()))
    })
}

/// Writes `20150830T123600Z`; `None` outside the years 0 to 9999.
pub(crate) fn format_basic(moment: Timestamp) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(moment.as_epoch_ms()).ok()?;
    let utc = TimeZone::UTC.to_datetime(moment);
    (0..=9999).contains(&utc.year()).then(|| {
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            utc.year(),
            utc.month(),
            utc.day(),
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    })
}
