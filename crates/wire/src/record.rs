//! Inputs and outputs as audit records hold them: JSON with member names in lowerCamelCase and
//! without sensitive values.

use std::fmt;

use serde::ser::{self, Serialize};

use crate::structure::SENSITIVE;
use crate::timestamp;

/// What stands for a sensitive value.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// What became of a value for the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recorded {
    /// There is none.
    #[default]
    Absent,
    /// Its JSON text.
    Json(String),
    /// It is longer than the limit, and left out.
    TooLong,
}

/// `value` as a record holds it, unless that is longer than about `max_bytes`; work ends there.
pub fn record<T: Serialize>(value: &T, max_bytes: usize) -> Recorded {
    let mut out = Out { text: String::with_capacity(256), max_bytes };
    match value.serialize(Writer(&mut out)) {
        Ok(()) if out.text == "{}" => Recorded::Absent,
        Ok(()) => Recorded::Json(out.text),
        Err(_) => Recorded::TooLong,
    }
}

struct Out {
    text: String,
    max_bytes: usize,
}

/// The value is too long, or nothing that the models have.
#[derive(Debug)]
struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be recorded")
    }
}

impl std::error::Error for Abandoned {}

impl ser::Error for Abandoned {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl Out {
    fn push(&mut self, text: &str) -> Result<(), Abandoned> {
        if self.text.len().saturating_add(text.len()) > self.max_bytes {
            return Err(Abandoned);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Abandoned> {
        if self.text.len().saturating_add(text.len()) > self.max_bytes {
            return Err(Abandoned);
        }
        self.text.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, special) = rest.split_at(at);
            self.text.push_str(plain);
            let mut characters = special.chars();
            match characters.next() {
                Some('"') => self.text.push_str("\\\""),
                Some('\\') => self.text.push_str("\\\\"),
                Some('\n') => self.text.push_str("\\n"),
                Some('\t') => self.text.push_str("\\t"),
                Some('\r') => self.text.push_str("\\r"),
                Some(control) => {
                    // Writing to a string cannot fail.
                    let _written =
                        fmt::write(&mut self.text, format_args!("\\u{:04x}", u32::from(control)));
                }
                None => {}
            }
            rest = characters.as_str();
        }
        self.text.push_str(rest);
        self.text.push('"');
        Ok(())
    }

    /// A member's name, its first word in lower case: `ARN` and `UserName` become `arn` and
    /// `userName`.
    fn member(&mut self, name: &str) -> Result<(), Abandoned> {
        let upper = name.bytes().take_while(u8::is_ascii_uppercase).count();
        // The last of several capitals begins the next word: `MFADevice`, `SAMLAssertion`.
        let lowered = if upper > 1 && upper < name.len() { upper.saturating_sub(1) } else { upper };
        let (first, rest) = name.split_at_checked(lowered).unwrap_or((name, ""));
        self.push("\"")?;
        self.push(&first.to_ascii_lowercase())?;
        self.push(rest)?;
        self.push("\":")
    }
}

struct Writer<'out>(&'out mut Out);

/// A list, map or structure whose brackets are open.
struct Open<'out> {
    out: &'out mut Out,
    is_first: bool,
    end: &'static str,
}

impl<'out> Writer<'out> {
    fn open(self, start: &str, end: &'static str) -> Result<Open<'out>, Abandoned> {
        self.0.push(start)?;
        Ok(Open { out: self.0, is_first: true, end })
    }

    fn display(self, value: impl fmt::Display) -> Result<(), Abandoned> {
        self.0.push(&value.to_string())
    }
}

impl Open<'_> {
    fn separate(&mut self) -> Result<(), Abandoned> {
        if std::mem::take(&mut self.is_first) { Ok(()) } else { self.out.push(",") }
    }

    fn close(self) -> Result<(), Abandoned> {
        self.out.push(self.end)
    }
}

macro_rules! displayed {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, value: $type) -> Result<(), Abandoned> {
            self.display(value)
        })+
    };
}

impl<'out> ser::Serializer for Writer<'out> {
    type Ok = ();
    type Error = Abandoned;
    type SerializeSeq = Open<'out>;
    type SerializeTuple = Open<'out>;
    type SerializeTupleStruct = Open<'out>;
    type SerializeTupleVariant = ser::Impossible<(), Abandoned>;
    type SerializeMap = Open<'out>;
    type SerializeStruct = Open<'out>;
    type SerializeStructVariant = ser::Impossible<(), Abandoned>;

    displayed!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64
    );

    fn serialize_f32(self, value: f32) -> Result<(), Abandoned> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Abandoned> {
        if value.is_finite() { self.display(value) } else { self.0.push("null") }
    }

    fn serialize_char(self, value: char) -> Result<(), Abandoned> {
        self.0.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Abandoned> {
        self.0.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Abandoned> {
        self.display(value.len())
    }

    fn serialize_none(self) -> Result<(), Abandoned> {
        self.0.push("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Abandoned> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Abandoned> {
        self.0.push("null")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Abandoned> {
        self.0.push("null")
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Abandoned> {
        self.0.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Abandoned> {
        match name {
            SENSITIVE => self.0.string(HIDDEN),
            timestamp::NEWTYPE => {
                let seconds = serde_json::to_value(value).ok().and_then(|value| value.as_f64());
                let time = base::Timestamp::from_epoch_seconds(seconds.unwrap_or_default());
                self.0.string(&time.to_string())
            }
            _ => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Abandoned> {
        Err(Abandoned)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Open<'out>, Abandoned> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _length: usize) -> Result<Open<'out>, Abandoned> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Open<'out>, Abandoned> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, Abandoned> {
        Err(Abandoned)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Open<'out>, Abandoned> {
        self.open("{", "}")
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Open<'out>, Abandoned> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, Abandoned> {
        Err(Abandoned)
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident),+) => {$(
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Abandoned;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Abandoned> {
                self.separate()?;
                value.serialize(Writer(self.out))
            }

            fn end(self) -> Result<(), Abandoned> {
                self.close()
            }
        }
    )+};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field
);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Abandoned;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Abandoned> {
        self.separate()?;
        key.serialize(Writer(self.out))?;
        self.out.push(":")
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Abandoned> {
        value.serialize(Writer(self.out))
    }

    fn end(self) -> Result<(), Abandoned> {
        self.close()
    }
}

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Abandoned;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Abandoned> {
        self.separate()?;
        self.out.member(name)?;
        value.serialize(Writer(self.out))
    }

    fn end(self) -> Result<(), Abandoned> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::ser::{Serialize, SerializeStruct as _, Serializer};

    use super::*;

    struct Key {
        secret: Option<String>,
    }

    impl Serialize for Key {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut out = serializer.serialize_struct("Key", 5)?;
            crate::put(&mut out, "UserName", &Some("a\"\u{1}\\ü"))?;
            crate::put_sensitive(&mut out, "SecretAccessKey", &self.secret)?;
            crate::put(&mut out, "MFADevice", &Some(vec![true]))?;
            crate::put(&mut out, "ARN", &Some(BTreeMap::from([("Key Case", 1.5)])))?;
            let time = Some(base::Timestamp::from_epoch_ms(1_500));
            crate::put_timestamp(&mut out, "createdAt", time)?;
            out.end()
        }
    }

    #[test]
    fn names_are_lower_camel_case_and_secrets_are_hidden() {
        let key = Key { secret: Some("wJalr".to_owned()) };
        let expected = r#"{"userName":"a\"\u0001\\ü","secretAccessKey":"HIDDEN_DUE_TO_SECURITY_REASONS","mfaDevice":[true],"arn":{"Key Case":1.5},"createdAt":"1970-01-01T00:00:01.500Z"}"#;
        assert_eq!(record(&key, 1000), Recorded::Json(expected.to_owned()));
        let read: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read["userName"], "a\"\u{1}\\ü");
        assert!(serde_json::to_string(&key).unwrap().contains("wJalr"));
    }

    #[test]
    fn what_is_too_long_is_left_out_and_nothing_is_absent() {
        assert_eq!(record(&Key { secret: None }, 50), Recorded::TooLong);
        assert_eq!(record(&crate::NoOutput {}, 50), Recorded::Absent);
    }
}
