//! Condition keys of our own, `portcullis:…`: what a task definition asks for.
//!
//! | Key | Type | Values |
//! |---|---|---|
//! | `portcullis:network-mode` | String | `bridge`, `awsvpc`, `host`, `none` |
//! | `portcullis:user` | list of String | each container's user without the group; empty where the image decides |
//! | `portcullis:readonly-root-filesystem` | Bool | whether every container's is read-only |
//! | `portcullis:added-capabilities` | list of String | of all containers, without `CAP_`; absent without any |
//! | `portcullis:image-registry` | list of String | the registry of each image: `docker.io` |
//! | `portcullis:plaintext-secrets` | Numeric | environment variables that have the name of a secret and a value |
//!
//! RegisterTaskDefinition has them from the request; RunTask, StartTask, CreateService, and
//! UpdateService with a task definition from that definition, RunTask and StartTask with the
//! overrides applied.

use std::collections::BTreeSet;

use api_ecs::types::{self, ContainerDefinition};
use domain::{ContainerSpec, NetworkMode, TaskSpec};
use policy::Access;

use super::{with, with_flag};

/// What the keys need to know of a container.
#[derive(Debug, Default)]
pub(super) struct Container<'a> {
    user: &'a str,
    read_only_root: bool,
    added_capabilities: Vec<&'a str>,
    image: &'a str,
    environment: Vec<(&'a str, &'a str)>,
}

/// A container as it is registered.
pub(super) fn of_wire(container: &ContainerDefinition) -> Container<'_> {
    let linux = container.linux_parameters.as_ref();
    let capabilities = linux.and_then(|linux| linux.capabilities.as_ref());
    let added = capabilities.and_then(|capabilities| capabilities.add.as_ref());
    Container {
        user: container.user.as_deref().unwrap_or_default(),
        read_only_root: container.readonly_root_filesystem == Some(true),
        added_capabilities: added.into_iter().flatten().map(String::as_str).collect(),
        image: container.image.as_deref().unwrap_or_default(),
        environment: container.environment.iter().flatten().map(pair).collect(),
    }
}

fn pair(given: &types::KeyValuePair) -> (&str, &str) {
    (given.name.as_deref().unwrap_or_default(), given.value.as_deref().unwrap_or_default())
}

fn of_spec<'a>(
    container: &'a ContainerSpec,
    overrides: Option<&'a types::TaskOverride>,
) -> Container<'a> {
    let overrides = overrides.and_then(|given| given.container_overrides.as_ref());
    let own = |changed: &&types::ContainerOverride| {
        changed.name.as_deref() == Some(container.name.as_str())
    };
    let changed = overrides.into_iter().flatten().filter(own);
    let changed = changed.flat_map(|changed| changed.environment.iter().flatten().map(pair));
    let environment = container.environment.iter();
    Container {
        user: container.user.as_deref().unwrap_or_default(),
        read_only_root: container.read_only_root,
        added_capabilities: container.linux.capabilities_add.iter().map(String::as_str).collect(),
        image: &container.image,
        environment: environment
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(changed)
            .collect(),
    }
}

/// With the keys of a registered definition, overrides applied.
pub(super) fn spec_keys(
    access: Access,
    spec: &TaskSpec,
    overrides: Option<&types::TaskOverride>,
) -> Access {
    let network_mode = match spec.network_mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Awsvpc => "awsvpc",
        NetworkMode::None => "none",
        NetworkMode::Host => "host",
    };
    let containers = spec.containers.iter().map(|container| of_spec(container, overrides));
    keys(access, network_mode, containers)
}

/// With the keys.
pub(super) fn keys<'a>(
    access: Access,
    network_mode: &str,
    containers: impl Iterator<Item = Container<'a>>,
) -> Access {
    let mut access = access.with_key("portcullis:network-mode", network_mode);
    let (mut users, mut capabilities, mut registries) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut secrets = BTreeSet::new();
    let mut read_only = true;
    for (index, container) in containers.enumerate() {
        users.insert(user(container.user));
        registries.insert(registry(container.image));
        read_only &= container.read_only_root;
        let added = container.added_capabilities.into_iter();
        capabilities.extend(added.map(|name| name.strip_prefix("CAP_").unwrap_or(name)));
        let plain = container.environment.into_iter();
        let plain = plain.filter(|(name, value)| !value.is_empty() && names_a_secret(name));
        secrets.extend(plain.map(|(name, _)| (index, name)));
    }
    for user in users {
        access = access.with_key("portcullis:user", user);
    }
    let lists = [
        ("portcullis:added-capabilities", capabilities),
        ("portcullis:image-registry", registries),
    ];
    for (key, values) in lists {
        for value in values {
            access = access.with_key(key, value);
        }
    }
    let access = with_flag(access, "portcullis:readonly-root-filesystem", Some(read_only));
    with(access, "portcullis:plaintext-secrets", Some(secrets.len().to_string()))
}

/// The user of `user:group`, a number without needless zeros: `00:5` is 0.
fn user(given: &str) -> String {
    let user = given.split(':').next().unwrap_or_default();
    user.parse::<u64>().map_or_else(|_| user.to_owned(), |number| number.to_string())
}

/// The registry of an image reference: its first part when that is a host, else Docker Hub.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        Some(_) | None => "docker.io",
    }
}

/// Whether an environment variable of this name usually holds a secret.
fn names_a_secret(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
        "CREDENTIAL",
    ];
    let name = name.to_ascii_uppercase();
    PARTS.iter().any(|part| name.contains(part))
}
