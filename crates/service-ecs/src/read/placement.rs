//! Placement constraints and strategies.

use api_ecs::types;
use domain::{LaunchType, PlacementConstraint, PlacementStrategy};
use wire::ApiError;

use crate::error::invalid_parameter;

/// The most constraints of one call or service.
const MAX_CONSTRAINTS: usize = 10;
/// The most bytes of a strategy's field.
const MAX_FIELD: usize = 255;

/// Constraints and strategies, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Placement {
    pub(crate) constraints: Vec<PlacementConstraint>,
    pub(crate) strategies: Vec<PlacementStrategy>,
}

/// Reads both.
pub(crate) fn read(
    constraints: Option<&Vec<types::PlacementConstraint>>,
    strategies: Option<&Vec<types::PlacementStrategy>>,
    launch_type: LaunchType,
) -> Result<Placement, ApiError> {
    let constraints = constraints.map_or(&[][..], Vec::as_slice);
    let strategies = strategies.map_or(&[][..], Vec::as_slice);
    if launch_type == LaunchType::Fargate {
        if !constraints.is_empty() {
            return Err(invalid_parameter(
                "Placement constraints are not supported with FARGATE launch type.",
            ));
        }
        if !strategies.is_empty() {
            return Err(invalid_parameter(
                "Placement strategies are not supported with FARGATE launch type.",
            ));
        }
    }
    if constraints.len() > MAX_CONSTRAINTS {
        return Err(invalid_parameter(format!(
            "placementConstraints can have at most {MAX_CONSTRAINTS} items, not {}.",
            constraints.len()
        )));
    }
    if strategies.len() > scheduler::MAX_STRATEGIES {
        return Err(invalid_parameter(format!(
            "placementStrategy can have at most {} items, not {}.",
            scheduler::MAX_STRATEGIES,
            strategies.len()
        )));
    }
    Ok(Placement {
        constraints: constraints.iter().map(constraint).collect::<Result<_, _>>()?,
        strategies: strategies.iter().map(strategy).collect::<Result<_, _>>()?,
    })
}

fn constraint(given: &types::PlacementConstraint) -> Result<PlacementConstraint, ApiError> {
    let expression = given.expression.as_deref().unwrap_or_default();
    match &given.r#type {
        Some(types::PlacementConstraintType::DistinctInstance) if expression.is_empty() => {
            Ok(PlacementConstraint::DistinctInstance)
        }
        Some(types::PlacementConstraintType::DistinctInstance) => {
            Err(invalid_parameter("The distinctInstance placement constraint takes no expression."))
        }
        Some(types::PlacementConstraintType::MemberOf) => {
            let constraint = PlacementConstraint::MemberOf(expression.to_owned());
            placement::constraint(constraint.clone()).map_err(|error| not_valid(&error))?;
            Ok(constraint)
        }
        Some(types::PlacementConstraintType::Unrecognized(_)) | None => Err(invalid_parameter(
            "A placement constraint needs a type: distinctInstance or memberOf.",
        )),
    }
}

fn strategy(given: &types::PlacementStrategy) -> Result<PlacementStrategy, ApiError> {
    let field = given.field.clone().unwrap_or_default();
    if field.len() > MAX_FIELD {
        return Err(invalid_parameter(format!(
            "The field of a placement strategy can have at most {MAX_FIELD} characters."
        )));
    }
    let strategy = match &given.r#type {
        Some(types::PlacementStrategyType::Random) if field.is_empty() => PlacementStrategy::Random,
        Some(types::PlacementStrategyType::Random) => {
            return Err(invalid_parameter("The random placement strategy takes no field."));
        }
        Some(types::PlacementStrategyType::Spread) => PlacementStrategy::Spread(field),
        Some(types::PlacementStrategyType::Binpack) => PlacementStrategy::Binpack(field),
        Some(types::PlacementStrategyType::Unrecognized(_)) | None => {
            return Err(invalid_parameter(
                "A placement strategy needs a type: random, spread or binpack.",
            ));
        }
    };
    placement::strategy(&strategy).map_err(|error| not_valid(&error))?;
    Ok(strategy)
}

/// An error with its causes, as one line.
pub(crate) fn not_valid(error: &dyn std::error::Error) -> ApiError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    invalid_parameter(text)
}
