//! One value as one XML element.

use std::fmt;

use base::Timestamp;
use serde::ser::{self, Impossible, Serialize, Serializer};

use crate::timestamp;

/// Why an output cannot be written: a key that is no text, or a type no model has.
#[derive(Debug)]
pub(crate) struct XmlError(String);

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for XmlError {}

impl ser::Error for XmlError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn unsupported<T>(what: &str) -> Result<T, XmlError> {
    Err(XmlError(format!("XML answers have no {what}")))
}

/// Writes a value as an element called `name`; an absent value as nothing.
pub(crate) struct Element<'out> {
    pub(crate) out: &'out mut String,
    pub(crate) name: &'out str,
}

impl<'out> Element<'out> {
    fn opened(self) -> Open<'out> {
        super::open(self.out, self.name);
        Open { out: self.out, name: self.name }
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty),+ $(,)?) => {$(
        fn $method(self, value: $type) -> Result<(), XmlError> {
            super::element(self.out, self.name, &value.to_string());
            Ok(())
        }
    )+};
}

impl<'out> Serializer for Element<'out> {
    type Ok = ();
    type Error = XmlError;
    type SerializeSeq = Open<'out>;
    type SerializeTuple = Impossible<(), XmlError>;
    type SerializeTupleStruct = Impossible<(), XmlError>;
    type SerializeTupleVariant = Impossible<(), XmlError>;
    type SerializeMap = Open<'out>;
    type SerializeStruct = Open<'out>;
    type SerializeStructVariant = Impossible<(), XmlError>;

    plain! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_f32: f32, serialize_f64: f64, serialize_char: char,
    }

    fn serialize_str(self, text: &str) -> Result<(), XmlError> {
        super::element(self.out, self.name, text);
        Ok(())
    }

    fn serialize_bytes(self, _bytes: &[u8]) -> Result<(), XmlError> {
        unsupported("bytes")
    }

    fn serialize_none(self) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), XmlError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), XmlError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), XmlError> {
        if name != timestamp::NEWTYPE {
            return value.serialize(self);
        }
        let seconds = serde_json::to_value(value).map_err(|error| XmlError(error.to_string()))?;
        let timestamp = Timestamp::from_epoch_seconds(seconds.as_f64().unwrap_or_default());
        super::element(self.out, self.name, &super::iso8601(timestamp));
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), XmlError> {
        unsupported("variants with values")
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Open<'out>, XmlError> {
        Ok(self.opened())
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self::SerializeTuple, XmlError> {
        unsupported("tuples")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct, XmlError> {
        unsupported("tuples")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, XmlError> {
        unsupported("tuples")
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Open<'out>, XmlError> {
        Ok(self.opened())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Open<'out>, XmlError> {
        Ok(self.opened())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, XmlError> {
        unsupported("variants with values")
    }
}

/// An element whose start is written.
pub(crate) struct Open<'out> {
    out: &'out mut String,
    name: &'out str,
}

impl<'out> Open<'out> {
    fn child<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), XmlError> {
        value.serialize(Element { out: self.out, name })
    }

    fn close(self) -> Result<(), XmlError> {
        super::close(self.out, self.name);
        Ok(())
    }
}

impl ser::SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), XmlError> {
        self.child("member", value)
    }

    fn end(self) -> Result<(), XmlError> {
        self.close()
    }
}

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), XmlError> {
        super::open(self.out, "entry");
        self.child("key", key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), XmlError> {
        self.child("value", value)?;
        super::close(self.out, "entry");
        Ok(())
    }

    fn end(self) -> Result<(), XmlError> {
        self.close()
    }
}

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), XmlError> {
        self.child(name, value)
    }

    fn end(self) -> Result<(), XmlError> {
        self.close()
    }
}
