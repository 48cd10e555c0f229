//! Amazon Resource Names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A twelve-digit AWS account identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

/// A region name such as `us-east-1`: lower-case letters, digits and hyphens, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// Why a text is not an ARN, an account or a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseArnError {
    /// Not twelve decimal digits.
    #[error("`{0}` is not an account id: expected twelve digits")]
    Account(String),
    /// Not a region name.
    #[error("`{0}` is not a region: expected lower-case letters, digits and hyphens")]
    Region(String),
    /// Not `arn:partition:service:region:account:resource`.
    #[error("`{0}` is not an ARN: expected `arn:partition:service:region:account:resource`")]
    Shape(String),
}

impl FromStr for AccountId {
    type Err = ParseArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseArnError::Account(text.to_owned()))
        }
    }
}

impl FromStr for Region {
    type Err = ParseArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.is_empty() && text.len() <= 32 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseArnError::Region(text.to_owned()))
        }
    }
}

macro_rules! text_newtype {
    ($type:ident) => {
        impl $type {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = ParseArnError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

text_newtype!(AccountId);
text_newtype!(Region);

/// The account and region that a control plane serves; what every ARN it makes has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The account that owns everything served here.
    pub account: AccountId,
    /// The region this control plane answers for.
    pub region: Region,
}

impl Scope {
    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE` in this scope.
    pub fn arn(&self, service: &str, resource: impl fmt::Display) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// A parsed ARN. Borrowing from nothing, so that it can be kept.
///
/// Region and account may be empty, as in `arn:aws:iam::123456789012:role/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// The service's namespace: `ecs`.
    pub service: String,
    /// The region, or empty.
    pub region: String,
    /// The account, or empty.
    pub account: String,
    /// All that follows the fifth colon: `cluster/default`.
    pub resource: String,
}

impl FromStr for Arn {
    type Err = ParseArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned);
        let (
            Some(prefix),
            Some(partition),
            Some(service),
            Some(region),
            Some(account),
            Some(resource),
        ) = (next(), next(), next(), next(), next(), next())
        else {
            return Err(ParseArnError::Shape(text.to_owned()));
        };
        if prefix != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(ParseArnError::Shape(text.to_owned()));
        }
        Ok(Self { partition, service, region, account, resource })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_parsing_and_printing() {
        let text = "arn:aws:ecs:us-east-1:123456789012:task-definition/quotes:3";
        let arn: Arn = text.parse().unwrap();
        assert_eq!(arn.resource, "task-definition/quotes:3");
        assert_eq!(arn.to_string(), text);
    }

    #[test]
    fn a_text_with_too_few_parts_is_no_arn() {
        assert_eq!(
            "arn:aws:ecs:cluster/x".parse::<Arn>(),
            Err(ParseArnError::Shape("arn:aws:ecs:cluster/x".to_owned()))
        );
    }

    #[test]
    fn accounts_have_twelve_digits() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        assert!("12345678901".parse::<AccountId>().is_err());
        assert!("12345678901x".parse::<AccountId>().is_err());
    }

    #[test]
    fn a_scope_names_its_resources() {
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        };
        assert_eq!(scope.arn("ecs", "cluster/a"), "arn:aws:ecs:eu-west-1:123456789012:cluster/a");
    }
}
