//! Structures and unions of the models: members by name, in one place for all protocols.
//!
//! Hand-written visitors instead of serde's derive, because a derived structure also reads a
//! JSON array, takes a repeated member of an ignored name, and says nothing about where it failed.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{self, Error as _, IgnoredAny, MapAccess};
use serde::ser::SerializeStruct;

/// A structure of a model. Every member is optional here; [`Validate`](crate::Validate) tells
/// which must be present.
pub trait Structure: Default {
    /// The shape's name in the model.
    const NAME: &'static str;
    /// The members' names on the wire, at most 128.
    const MEMBERS: &'static [&'static str];

    /// Reads the value of `MEMBERS[member]`; null reads as absent.
    ///
    /// # Errors
    /// When the value has another type than the member.
    fn read<'de, A: MapAccess<'de>>(&mut self, member: usize, map: &mut A) -> Result<(), A::Error>;

    /// Writes the members that are present.
    ///
    /// # Errors
    /// Whatever the serializer answers.
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error>;
}

/// A union of a model: exactly one member is present.
pub trait Union: Sized {
    /// The shape's name in the model.
    const NAME: &'static str;
    /// The members' names on the wire.
    const MEMBERS: &'static [&'static str];

    /// Reads the value of `MEMBERS[member]`; `None` when it is null.
    ///
    /// # Errors
    /// When the value has another type than the member.
    fn read<'de, A: MapAccess<'de>>(member: usize, map: &mut A) -> Result<Option<Self>, A::Error>;

    /// Writes the one member.
    ///
    /// # Errors
    /// Whatever the serializer answers.
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error>;
}

/// Writes a member if it is present.
///
/// # Errors
/// Whatever the serializer answers.
pub fn put<S: SerializeStruct, T: Serialize>(
    out: &mut S,
    name: &'static str,
    value: &Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => out.serialize_field(name, value),
        None => Ok(()),
    }
}

/// The name under which a sensitive value passes through a serializer, so that a record can leave
/// it out.
pub(crate) const SENSITIVE: &str = "$wire::Sensitive";

struct Sensitive<'a, T>(&'a T);

impl<T: Serialize> Serialize for Sensitive<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SENSITIVE, self.0)
    }
}

/// Writes a sensitive member if it is present: bodies hold it, records do not.
///
/// # Errors
/// Whatever the serializer answers.
pub fn put_sensitive<S: SerializeStruct, T: Serialize>(
    out: &mut S,
    name: &'static str,
    value: &Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => out.serialize_field(name, &Sensitive(value)),
        None => Ok(()),
    }
}

/// The place of a name in a list of members; `None` for a name that is not there.
struct MemberSeed(&'static [&'static str]);

impl<'de> de::DeserializeSeed<'de> for MemberSeed {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl de::Visitor<'_> for MemberSeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|member| *member == name))
    }
}

fn at<E: de::Error>(members: &'static [&'static str], member: usize, error: &E) -> E {
    let name = members.get(member).copied().unwrap_or_default();
    let text = error.to_string();
    // A nested failure starts with its own quoted path: join the two.
    match text.strip_prefix('`') {
        Some(rest) if text.contains("`: ") => E::custom(format_args!("`{name}.{rest}")),
        Some(_) | None => E::custom(format_args!("`{name}`: {text}")),
    }
}

/// Reads a [`Structure`] from a map, and only from a map. Unknown members are ignored, repeated
/// ones refused.
#[derive(Debug)]
pub struct StructureVisitor<T>(PhantomData<T>);

impl<T> Default for StructureVisitor<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Structure> de::Visitor<'de> for StructureVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a structure {}", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut value = T::default();
        let mut seen = 0_u128;
        while let Some(member) = map.next_key_seed(MemberSeed(T::MEMBERS))? {
            let Some(member) = member else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = u32::try_from(member).ok().and_then(|shift| 1_u128.checked_shl(shift));
            let bit = bit.unwrap_or_default();
            if seen & bit != 0 {
                return Err(at(T::MEMBERS, member, &A::Error::custom("given twice")));
            }
            seen |= bit;
            value.read(member, &mut map).map_err(|error| at(T::MEMBERS, member, &error))?;
        }
        Ok(value)
    }
}

/// Reads a [`Union`] from a map that has exactly one of its members.
#[derive(Debug)]
pub struct UnionVisitor<T>(PhantomData<T>);

impl<T> Default for UnionVisitor<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Union> de::Visitor<'de> for UnionVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a union {}", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut found = None;
        let needs_one = || {
            let names = T::MEMBERS.join(", ");
            A::Error::custom(format_args!("union {} needs exactly one of: {names}", T::NAME))
        };
        while let Some(member) = map.next_key_seed(MemberSeed(T::MEMBERS))? {
            let Some(member) = member else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value =
                T::read(member, &mut map).map_err(|error| at(T::MEMBERS, member, &error))?;
            if value.is_some() && found.is_some() {
                return Err(needs_one());
            }
            found = found.or(value);
        }
        found.ok_or_else(needs_one)
    }
}

/// Gives each named [`Structure`] its serde implementations.
#[macro_export]
macro_rules! structure_serde {
    ($($name:ident),+ $(,)?) => {$(
        impl $crate::export::Serialize for $name {
            fn serialize<S: $crate::export::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                let mut out = serializer.serialize_struct(
                    <Self as $crate::Structure>::NAME,
                    <Self as $crate::Structure>::MEMBERS.len(),
                )?;
                $crate::Structure::write(self, &mut out)?;
                $crate::export::SerializeStruct::end(out)
            }
        }

        impl<'de> $crate::export::Deserialize<'de> for $name {
            fn deserialize<D: $crate::export::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                deserializer.deserialize_struct(
                    <Self as $crate::Structure>::NAME,
                    <Self as $crate::Structure>::MEMBERS,
                    $crate::StructureVisitor::<Self>::default(),
                )
            }
        }
    )+};
}

/// Gives each named [`Union`] its serde implementations.
#[macro_export]
macro_rules! union_serde {
    ($($name:ident),+ $(,)?) => {$(
        impl $crate::export::Serialize for $name {
            fn serialize<S: $crate::export::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                let mut out = serializer.serialize_struct(<Self as $crate::Union>::NAME, 1)?;
                $crate::Union::write(self, &mut out)?;
                $crate::export::SerializeStruct::end(out)
            }
        }

        impl<'de> $crate::export::Deserialize<'de> for $name {
            fn deserialize<D: $crate::export::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                deserializer.deserialize_struct(
                    <Self as $crate::Union>::NAME,
                    <Self as $crate::Union>::MEMBERS,
                    $crate::UnionVisitor::<Self>::default(),
                )
            }
        }
    )+};
}

/// Stands for a sensitive value in debug output.
#[derive(Clone, Copy)]
pub struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
