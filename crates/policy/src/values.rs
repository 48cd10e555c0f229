//! The types of condition values: numbers, moments, address ranges, bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A decimal number, as JSON writes one or with a leading `+`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let allowed =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let plain = !text.is_empty() && text.bytes().all(allowed);
    plain.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

/// `true` or `false`, in any case.
pub(crate) fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Milliseconds since the epoch: `2026-11-20T10:00:00Z` with any offset, `2026-11-20`, `2026-11`,
/// `2026`, or seconds since the epoch (of more or fewer than four digits).
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() != 4 && (is_digits || text.contains('.') && !text.contains(':')) {
        #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
        return number(text).map(|seconds| (seconds * 1000.0).round() as i64);
    }
    let allowed =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'+' | b'T' | b'Z');
    if !text.bytes().all(allowed) {
        return None;
    }
    let full = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    full.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The address itself: an IPv4 address that is written as an IPv6 one is the IPv4 address.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cidr {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl Cidr {
    /// `10.0.0.0/8`, `2001:db8::/32`, or one address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => {
                let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(is_number.then(|| bits.parse::<u32>().ok()).flatten()?))
            }
        };
        match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => Self::v4(address, bits.unwrap_or(32)),
            IpAddr::V6(address) => {
                let bits = bits.unwrap_or(128);
                match (address.to_ipv4_mapped(), bits.checked_sub(96)) {
                    (Some(mapped), Some(bits)) => Self::v4(mapped, bits),
                    (None | Some(_), _) => Self::v6(address, bits),
                }
            }
        }
    }

    fn v4(address: Ipv4Addr, bits: u32) -> Option<Self> {
        let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
        Some(Self::V4 { network: u32::from(address) & mask, mask })
    }

    fn v6(address: Ipv6Addr, bits: u32) -> Option<Self> {
        let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
        Some(Self::V6 { network: u128::from(address) & mask, mask })
    }

    /// Whether `address`, which is canonical, is in the range.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { network, mask }, IpAddr::V4(address)) => {
                u32::from(address) & mask == network
            }
            (Self::V6 { network, mask }, IpAddr::V6(address)) => {
                u128::from(address) & mask == network
            }
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

/// The bytes that padded standard base64 stands for.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in body.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xFF).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_documented_form() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T01:00:01+01:00", Some(1_000)),
            ("1970-01-01T00:00:01.250Z", Some(1_250)),
            ("1970-01-01T00:01Z", Some(60_000)),
            ("1970-01-02", Some(86_400_000)),
            ("1970-02", Some(31 * 86_400_000)),
            ("1971", Some(365 * 86_400_000)),
            ("1", Some(1_000)),
            ("1732060800", Some(1_732_060_800_000)),
            ("1.5", Some(1_500)),
            ("1970-01-01T00:00:01", None),
            ("1970-13-01", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time_ms(text), expected, "`{text}`");
        }
    }

    #[test]
    fn ranges_hold_their_addresses() {
        for (range, text, expected) in [
            ("203.0.113.0/24", "203.0.113.7", true),
            ("203.0.113.9/24", "203.0.113.7", true),
            ("203.0.113.0/24", "203.0.114.7", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:1::5", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db9::", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ] {
            let cidr = Cidr::parse(range).unwrap();
            assert_eq!(cidr.contains(address(text).unwrap()), expected, "{text} in {range}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "::/129", "*"] {
            assert_eq!(Cidr::parse(wrong), None, "`{wrong}`");
        }
    }

    #[test]
    fn base64_stands_for_bytes() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("QUJD", Some(b"ABC")),
            ("QUI=", Some(b"AB")),
            ("QQ==", Some(b"A")),
            ("QR==", None),
            ("Q===", None),
            ("QUI", None),
            ("QU I", None),
        ] {
            assert_eq!(base64(text).as_deref(), expected, "`{text}`");
        }
    }
}
