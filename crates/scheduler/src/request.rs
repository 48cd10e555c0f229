//! What a task asks of the instance it will run on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{LaunchType, Protocol, Query, Resources};

/// Strategies per request that ECS accepts.
pub const MAX_STRATEGIES: usize = 5;

/// The attribute by which tasks spread when nothing else is said.
pub(crate) const ZONE_ATTRIBUTE: &str = "ecs.availability-zone";

/// A rule that binds: an instance that breaks it is never chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// No two tasks of the group on one instance.
    DistinctInstance,
    /// Only instances for which the query holds.
    MemberOf(Query),
}

/// Over what tasks of a group are spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpreadField {
    /// Container instances (`instanceId` or `host`).
    Instance,
    /// The values of an attribute (`attribute:NAME`); instances without it form one domain.
    Attribute(String),
}

/// One way to order the instances that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// Any instance, all equally likely; strategies after this one decide nothing.
    Random,
    /// Where the group has the fewest tasks.
    Spread(SpreadField),
    /// Where the least CPU is left.
    BinpackCpu,
    /// Where the least memory is left.
    BinpackMemory,
}

/// Why a strategy, or a list of them, is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// Not a strategy type.
    #[error("placement strategy type `{0}` is unknown: use `random`, `spread` or `binpack`")]
    Type(String),
    /// A field that the type does not take.
    #[error("placement strategy `{kind}` does not take the field `{field}`: use {expected}")]
    Field {
        /// The strategy type.
        kind: &'static str,
        /// The field as given.
        field: String,
        /// The fields it takes.
        expected: &'static str,
    },
    /// More strategies than ECS accepts.
    #[error("{0} placement strategies given: at most {MAX_STRATEGIES} are allowed")]
    TooMany(usize),
}

impl Strategy {
    /// Reads a strategy as the API writes it: a type and a field (empty when not given).
    ///
    /// # Errors
    /// When the type is unknown or does not take the field.
    pub fn parse(kind: &str, field: &str) -> Result<Self, StrategyError> {
        let wrong =
            |kind, expected| StrategyError::Field { kind, field: field.to_owned(), expected };
        match kind {
            "random" if field.is_empty() => Ok(Self::Random),
            "random" => Err(wrong("random", "no field")),
            "spread" => match field {
                "instanceId" | "host" => Ok(Self::Spread(SpreadField::Instance)),
                _ => match field.strip_prefix("attribute:") {
                    Some(name) if !name.is_empty() => {
                        Ok(Self::Spread(SpreadField::Attribute(name.to_owned())))
                    }
                    Some(_) | None => {
                        Err(wrong("spread", "`instanceId`, `host` or `attribute:NAME`"))
                    }
                },
            },
            // The API documents `cpu` and `memory` and has always taken them in either case.
            "binpack" if field.eq_ignore_ascii_case("cpu") => Ok(Self::BinpackCpu),
            "binpack" if field.eq_ignore_ascii_case("memory") => Ok(Self::BinpackMemory),
            "binpack" => Err(wrong("binpack", "`cpu` or `memory`")),
            _ => Err(StrategyError::Type(kind.to_owned())),
        }
    }
}

/// At most [`MAX_STRATEGIES`] strategies, applied in order. None: spread over availability zones,
/// then over instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strategies(Vec<Strategy>);

impl TryFrom<Vec<Strategy>> for Strategies {
    type Error = StrategyError;

    fn try_from(strategies: Vec<Strategy>) -> Result<Self, StrategyError> {
        if strategies.len() > MAX_STRATEGIES {
            return Err(StrategyError::TooMany(strategies.len()));
        }
        Ok(Self(strategies))
    }
}

impl Strategies {
    /// The strategies as given.
    pub fn as_slice(&self) -> &[Strategy] {
        &self.0
    }

    /// The strategies that take effect: the default ones when none were given.
    pub(crate) fn effective(&self) -> Vec<Strategy> {
        if self.0.is_empty() {
            vec![
                Strategy::Spread(SpreadField::Attribute(ZONE_ATTRIBUTE.to_owned())),
                Strategy::Spread(SpreadField::Instance),
            ]
        } else {
            self.0.clone()
        }
    }
}

/// What one task needs; every task of one [`place`](crate::place()) call needs the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The task group: `service:NAME`, `family:FAMILY` or the caller's own text.
    pub group: String,
    /// What the task takes.
    pub resources: Resources,
    /// Host ports the task must have. Ports chosen at start are not listed.
    pub host_ports: BTreeSet<(u16, Protocol)>,
    /// The launch type the instance must offer.
    pub launch_type: LaunchType,
    /// Attributes the instance must have (capabilities, mostly); with a value, exactly that value.
    pub required_attributes: BTreeMap<String, Option<String>>,
    /// Constraints of the task definition and of the call or service, together.
    pub constraints: Vec<Constraint>,
    /// How instances that fit are ordered.
    pub strategies: Strategies,
}
