//! Enumerated strings: known values as variants, every other text kept as it is.

use std::fmt;
use std::marker::PhantomData;

use serde::de;

/// An enumerated string of a model. Written by [`string_enum!`](crate::string_enum).
pub trait StringEnum: From<String> + for<'text> From<&'text str> {
    /// The values of the model, in the model's order.
    const VALUES: &'static [&'static str];

    /// The value as it is on the wire.
    fn as_str(&self) -> &str;

    /// The text, when it is none of the model's values.
    fn unrecognized(&self) -> Option<&str>;
}

/// Reads a [`StringEnum`] without allocating for known values.
#[derive(Debug)]
pub struct StringEnumVisitor<E>(PhantomData<E>);

impl<E> Default for StringEnumVisitor<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: StringEnum> de::Visitor<'_> for StringEnumVisitor<E> {
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<Err: de::Error>(self, text: &str) -> Result<E, Err> {
        Ok(E::from(text))
    }

    fn visit_string<Err: de::Error>(self, text: String) -> Result<E, Err> {
        Ok(E::from(text))
    }
}

/// Declares enumerated strings: `LaunchType { Ec2 = "EC2", Fargate = "FARGATE" }`. Each gets one
/// more variant, `Unrecognized(String)`, for a value the model does not have.
#[macro_export]
macro_rules! string_enum {
    ($($name:ident { $($variant:ident = $text:literal),+ $(,)? })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($variant,)+
            Unrecognized(String),
        }

        impl $crate::StringEnum for $name {
            const VALUES: &'static [&'static str] = &[$($text),+];

            fn as_str(&self) -> &str {
                $name::as_str(self)
            }

            fn unrecognized(&self) -> Option<&str> {
                match self {
                    $(Self::$variant => None,)+
                    Self::Unrecognized(text) => Some(text),
                }
            }
        }

        impl $name {
            /// The value as it is on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unrecognized(text) => text,
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Unrecognized(text.to_owned()))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or(Self::Unrecognized(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::export::Serialize for $name {
            fn serialize<S: $crate::export::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::export::Deserialize<'de> for $name {
            fn deserialize<D: $crate::export::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::StringEnumVisitor::<Self>::default())
            }
        }
    )+};
}
