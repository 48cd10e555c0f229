//! Typed values out of a form's tree.
//!
//! A list is `Name.member.1`, `Name.1` (flattened) or `Name.<element name>.1`; a map is
//! `Name.entry.1.key` and `.value`, or the same flattened. All are told apart by the names alone,
//! so that no table of the model is needed.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use crate::query::form::Node;
use crate::validate::shown;

/// Why a form does not fit.
#[derive(Debug)]
pub(crate) struct FormError(String);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormError {}

impl de::Error for FormError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct NodeDeserializer<'de>(pub(crate) &'de Node);

impl<'de> NodeDeserializer<'de> {
    fn text(self) -> Result<&'de str, FormError> {
        match &self.0.value {
            Some(text) if self.0.children.is_empty() => Ok(text),
            Some(_) | None => {
                Err(FormError::custom("expected one value, found a structure or list"))
            }
        }
    }

    fn parsed<T: std::str::FromStr>(self, what: &str) -> Result<T, FormError> {
        let text = self.text()?;
        text.parse().map_err(|_| FormError::custom(format_args!("not {what}: `{}`", shown(text))))
    }

    /// The numbered children, in the order of their numbers.
    fn elements(self) -> Result<Vec<&'de Node>, FormError> {
        let node = self.0;
        let mut children = node.children.iter();
        let numbered = match (children.next(), children.next()) {
            (None, _) if node.value.as_deref().unwrap_or_default().is_empty() => {
                return Ok(Vec::new());
            }
            (None, _) => return Err(FormError::custom("expected a list, found one value")),
            (Some((name, only)), None) if name.parse::<u32>().is_err() => only,
            (Some(_), _) => node,
        };
        let mut elements = Vec::with_capacity(numbered.children.len());
        for (name, child) in &numbered.children {
            let number: u32 = name.parse().map_err(|_| {
                FormError::custom(format_args!(
                    "expected a number in a list, found `{}`",
                    shown(name)
                ))
            })?;
            elements.push((number, child));
        }
        elements.sort_by_key(|(number, _)| *number);
        let repeated = elements.windows(2).any(|pair| match pair {
            [(first, _), (second, _)] => first == second,
            _ => false,
        });
        if repeated {
            return Err(FormError::custom("a number in a list is given twice"));
        }
        Ok(elements.into_iter().map(|(_, child)| child).collect())
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident: $type:ty, $what:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
            visitor.$visit(self.parsed::<$type>($what)?)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for NodeDeserializer<'de> {
    type Error = FormError;

    parsed! {
        deserialize_bool => visit_bool: bool, "`true` or `false`";
        deserialize_i32 => visit_i32: i32, "a whole number of 32 bits";
        deserialize_i64 => visit_i64: i64, "a whole number of 64 bits";
        deserialize_f64 => visit_f64: f64, "a number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
        visitor.visit_unit()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FormError> {
        visitor.visit_map(Members { rest: self.0.children.iter(), next: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
        visitor.visit_seq(Elements(self.elements()?.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FormError> {
        visitor.visit_map(Entries { rest: self.elements()?.into_iter(), next: None })
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct enum identifier
    }
}

struct Elements<'de>(std::vec::IntoIter<&'de Node>);

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = FormError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FormError> {
        self.0.next().map(|node| seed.deserialize(NodeDeserializer(node))).transpose()
    }
}

struct Members<'de> {
    rest: std::collections::btree_map::Iter<'de, String, Node>,
    next: Option<&'de Node>,
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = FormError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FormError> {
        let Some((name, node)) = self.rest.next() else { return Ok(None) };
        self.next = Some(node);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FormError> {
        let node = self.next.take().ok_or_else(|| FormError::custom("a value without a name"))?;
        seed.deserialize(NodeDeserializer(node))
    }
}

struct Entries<'de> {
    rest: std::vec::IntoIter<&'de Node>,
    next: Option<&'de Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = FormError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FormError> {
        let Some(entry) = self.rest.next() else { return Ok(None) };
        let key =
            entry.children.get("key").ok_or_else(|| FormError::custom("an entry has no key"))?;
        self.next = entry.children.get("value");
        seed.deserialize(NodeDeserializer(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FormError> {
        let value = self.next.take().ok_or_else(|| FormError::custom("an entry has no value"))?;
        seed.deserialize(NodeDeserializer(value))
    }
}
