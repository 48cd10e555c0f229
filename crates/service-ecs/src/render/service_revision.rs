//! Service revisions as they are kept and answered.

use api_ecs::types;
use base::Scope;
use domain::{Document, LaunchType, Service, ServiceRevision, TaskDefinition};
use wire::ApiError;

use crate::{arn, document};

/// What a revision keeps of its service: the members that are answered as they were.
pub(crate) fn document(
    service: &Service,
    definition: &TaskDefinition,
) -> Result<Document, ApiError> {
    let given: types::Service = document::read(&service.document);
    let images = definition.spec.containers.iter().map(|container| types::ContainerImage {
        container_name: Some(container.name.clone()),
        image: Some(container.image.clone()),
        image_digest: None,
    });
    document::write(&types::ServiceRevision {
        container_images: Some(images.collect()),
        network_configuration: given.network_configuration,
        platform_family: (service.launch_type == LaunchType::Fargate).then(|| "Linux".to_owned()),
        platform_version: given.platform_version,
        ..types::ServiceRevision::default()
    })
}

/// A revision.
pub(crate) fn service_revision(
    scope: &Scope,
    revision: &ServiceRevision,
) -> types::ServiceRevision {
    let (cluster, service) = (&revision.cluster, &revision.service);
    types::ServiceRevision {
        cluster_arn: Some(arn::cluster(scope, cluster)),
        created_at: Some(revision.created_at),
        guard_duty_enabled: Some(false),
        launch_type: Some(revision.launch_type.as_str().into()),
        service_arn: Some(arn::service(scope, cluster, service)),
        service_revision_arn: Some(arn::service_revision(scope, cluster, service, &revision.id)),
        task_definition: Some(arn::task_definition(scope, &revision.task_definition)),
        ..document::read(&revision.document)
    }
}
