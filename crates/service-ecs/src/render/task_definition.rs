//! Task definitions as they are answered.

use api_ecs::types;
use base::Scope;
use domain::TaskDefinition;

use crate::{arn, document};

/// The whole definition; tags are answered beside it.
pub(crate) fn described(scope: &Scope, definition: &TaskDefinition) -> types::TaskDefinition {
    types::TaskDefinition {
        task_definition_arn: Some(arn::task_definition(scope, &definition.id)),
        family: Some(definition.id.family.clone()),
        revision: i32::try_from(definition.id.revision).ok(),
        status: Some(definition.status.as_str().into()),
        registered_at: Some(definition.registered_at),
        registered_by: Some(definition.registered_by.clone()),
        deregistered_at: definition.deregistered_at,
        delete_requested_at: definition.delete_requested_at,
        ..document::read(&definition.document)
    }
}
