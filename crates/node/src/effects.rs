//! Carries out what the task engine wants, with the drivers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Clock;
use domain::{NetworkBinding, Protocol};
use images::{Image, ImageStore};
use network::{AttachRequest, Attachment, Network, NetworkMode, PortRequest};
use node_proto::{Assignment, CredentialError};
use runtime_oci::{ContainerId, Content, ExecSpec, Runtime, RuntimeError, SandboxSpec};
use task_engine::{Effect, Event};

use crate::container_spec::{Link, LinkCredentials, Surroundings, container_spec, task_limits};
use crate::image_reference::pinned;
use crate::log_shipper::{LogShippers, log_source};
use crate::role_credentials::RoleKeeper;
use crate::task_tokens::TaskTokens;

/// How long the last output of a task may take to reach the log store before the task's files are
/// removed all the same.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// Output kept of a health check, in bytes.
const PROBE_OUTPUT_BYTES: usize = 4096;
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// The drivers, and what they gave to tasks before the agent was restarted.
#[derive(Debug)]
pub(crate) struct Drivers {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) images: Arc<ImageStore>,
    pub(crate) logs: LogShippers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keeper: Arc<RoleKeeper>,
    pub(crate) tokens: Arc<TaskTokens>,
    /// Whether tasks reach the APIs.
    pub(crate) api_link: bool,
    pub(crate) machine_cpu_units: u32,
    pub(crate) machine_memory_mib: u32,
    /// Networks found at start, by task.
    pub(crate) attached: Mutex<BTreeMap<String, Attachment>>,
}

/// An effect that did not work and is to be tried again.
#[derive(Debug)]
pub(crate) struct TryAgain(pub(crate) String);

/// The runtime's name of a container: unique in the task for every start.
pub(crate) fn container_id(task_id: &str, name: &str, attempt: u32) -> ContainerId {
    ContainerId::new(task_id, format!("{attempt}-{name}"))
}

/// Which start of which container a runtime's name means.
pub(crate) fn parse_container_name(name: &str) -> Option<(u32, &str)> {
    let (attempt, name) = name.split_once('-')?;
    Some((attempt.parse().ok()?, name))
}

/// What an effect works on.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) assignment: Arc<Assignment>,
    /// Digests of the containers' images, once resolved.
    pub(crate) digests: Vec<Option<String>>,
    /// The task's own address, once it has one.
    pub(crate) address: Option<String>,
}

impl Drivers {
    /// Carries out one effect; the event that tells what came of it, if any does.
    pub(crate) async fn perform(
        &self,
        work: &Work,
        effect: &Effect,
    ) -> Result<Option<Event>, TryAgain> {
        match *effect {
            Effect::ResolveImages => Ok(Some(self.resolve_images(work).await)),
            Effect::CreateSandbox => self.create_sandbox(work).await.map(Some),
            Effect::StartContainer { container, attempt } => {
                Ok(Some(self.start(work, container, attempt).await))
            }
            Effect::StopContainer { container, attempt } => {
                self.signal(work, container, attempt, None).await.map(|()| None)
            }
            Effect::KillContainer { container, attempt } => {
                self.signal(work, container, attempt, Some(SIGKILL)).await.map(|()| None)
            }
            Effect::ProbeHealth { container, attempt } => {
                Ok(self.probe(work, container, attempt).await)
            }
            Effect::RemoveSandbox => self.remove(&work.assignment.task_id).await.map(Some),
        }
    }

    async fn image(&self, reference: String) -> Result<Image, String> {
        let images = Arc::clone(&self.images);
        let asked = reference.clone();
        let resolved = tokio::task::spawn_blocking(move || images.resolve(&asked)).await;
        match resolved {
            Ok(Ok(Some(image))) => Ok(image),
            Ok(Ok(None)) => Err(format!(
                "CannotPullContainerError: image `{reference}` is not on this node: import it with \
                 `portcullis image import FILE --name {reference}`"
            )),
            Ok(Err(error)) => {
                Err(format!("CannotPullContainerError: image `{reference}`: {}", chain(&error)))
            }
            Err(error) => Err(format!("CannotPullContainerError: image `{reference}`: {error}")),
        }
    }

    async fn resolve_images(&self, work: &Work) -> Event {
        let mut digests = Vec::new();
        for (container, spec) in work.assignment.spec.containers.iter().enumerate() {
            match self.image(spec.image.clone()).await {
                Ok(image) => digests.push(image.manifest_digest.to_string()),
                Err(reason) => return Event::ImageFailed { container, reason },
            }
        }
        Event::ImagesResolved { digests }
    }

    /// First of all the task's roles: nothing is made for a task that cannot act with them.
    async fn create_sandbox(&self, work: &Work) -> Result<Event, TryAgain> {
        match self.keeper.begin(&work.assignment).await {
            Ok(()) => {}
            Err(error @ CredentialError::Unavailable { .. }) => {
                return Err(TryAgain(error.to_string()));
            }
            Err(
                error @ (CredentialError::NotAssumable { .. } | CredentialError::Refused { .. }),
            ) => {
                return Ok(Event::SandboxFailed { reason: error.to_string() });
            }
        }
        Ok(match self.try_create_sandbox(work).await {
            Ok(event) => event,
            Err(reason) => Event::SandboxFailed { reason },
        })
    }

    async fn try_create_sandbox(&self, work: &Work) -> Result<Event, String> {
        let assignment = &work.assignment;
        refuse_secrets(assignment)?;
        let limits = task_limits(&assignment.spec, self.machine_cpu_units, self.machine_memory_mib);
        let spec = SandboxSpec { task_id: assignment.task_id.clone(), limits };
        let sandbox = self
            .runtime
            .create_sandbox(spec)
            .await
            .map_err(|error| format!("{}: {}", error.ecs_name(), chain(&error)))?;
        crash_point::crash_point!("node.sandbox.made");
        let known = {
            let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
            attached.remove(&assignment.task_id)
        };
        let attachment = match known {
            Some(attachment) => attachment,
            None => self
                .network
                .attach(attach_request(assignment, sandbox.network_namespace))
                .await
                .map_err(|error| format!("ContainerNetworkingError: {}", chain(&error)))?,
        };
        crash_point::crash_point!("node.network.attached");
        Ok(sandbox_ready(assignment, attachment))
    }

    /// What a container is told of the agent and the APIs, by its place in the definition.
    fn link(&self, assignment: &Assignment, index: usize) -> Option<Link> {
        let container = assignment.containers.get(index)?;
        let credentials = assignment.spec.task_role_arn.as_ref().map(|_| LinkCredentials {
            id: self.tokens.credentials_id(&assignment.task_id),
            token: Content(self.tokens.token(&assignment.task_id, &container.id)),
        });
        // arn:aws:ecs:REGION:ACCOUNT:task/…
        let region = assignment.task_arn.split(':').nth(3).unwrap_or_default().to_owned();
        let container_id = container.id.clone();
        Some(Link { container_id, region, apis: self.api_link, credentials })
    }

    /// Directories of the task's volumes. Named by their place in the definition: a definition's
    /// text never becomes a path.
    async fn volumes(&self, assignment: &Assignment) -> Result<BTreeMap<String, PathBuf>, String> {
        let mut volumes = BTreeMap::new();
        for (index, volume) in assignment.spec.volumes.iter().enumerate() {
            let path = self
                .runtime
                .create_volume(&assignment.task_id, &format!("volume-{index}"))
                .await
                .map_err(|error| format!("{}: {}", error.ecs_name(), chain(&error)))?;
            volumes.insert(volume.name.clone(), path);
        }
        Ok(volumes)
    }

    async fn start(&self, work: &Work, container: usize, attempt: u32) -> Event {
        match self.try_start(work, container, attempt).await {
            Ok((runtime_id, at)) => Event::ContainerStarted { container, attempt, runtime_id, at },
            Err(reason) => Event::ContainerFailed { container, attempt, reason },
        }
    }

    async fn try_start(
        &self,
        work: &Work,
        index: usize,
        attempt: u32,
    ) -> Result<(String, base::Timestamp), String> {
        let assignment = &work.assignment;
        let spec =
            assignment.spec.containers.get(index).ok_or("the container is not in the task")?;
        let reference = match work.digests.get(index).and_then(Option::as_ref) {
            Some(digest) => pinned(&spec.image, digest),
            None => spec.image.clone(),
        };
        let image = self.image(reference).await?;
        let volumes = self.volumes(assignment).await?;
        let id = container_id(&assignment.task_id, &spec.name, attempt);
        let link = work.address.as_ref().and_then(|_| self.link(assignment, index));
        let around = Surroundings {
            task_id: &assignment.task_id,
            launch_type: assignment.launch_type,
            link: link.as_ref(),
            runtime_name: id.name.clone(),
            task: &assignment.spec,
            volumes: &volumes,
            address: work.address.as_deref(),
        };
        let runtime_spec = container_spec(spec, &image, &around)
            .map_err(|reason| format!("CannotCreateContainerError: {reason}"))?;
        let source = log_source(assignment, spec);
        let failed = |error: &RuntimeError| format!("{}: {}", error.ecs_name(), chain(error));
        // What an agent that died meanwhile may have left half made.
        self.runtime.delete_container(&id).await.map_err(|error| failed(&error))?;
        if attempt > 1 {
            let previous = container_id(&assignment.task_id, &spec.name, attempt - 1);
            self.logs.drained(&previous, DRAIN_LIMIT).await;
            self.runtime.delete_container(&previous).await.map_err(|error| failed(&error))?;
        }
        self.runtime.create_container(runtime_spec).await.map_err(|error| failed(&error))?;
        crash_point::crash_point!("node.container.created");
        self.logs.follow(&self.runtime, &id, source);
        match self.runtime.start_container(&id).await {
            Ok(started) => {
                crash_point::crash_point!("node.container.started");
                Ok((id.to_string(), started.started_at))
            }
            Err(error) => {
                let reason = failed(&error);
                self.logs.abandon(&id);
                if let Err(error) = self.runtime.delete_container(&id).await {
                    tracing::warn!(container = %id, error = chain(&error), "container not removed");
                }
                Err(reason)
            }
        }
    }

    /// Sends `signal`, or the image's stop signal.
    async fn signal(
        &self,
        work: &Work,
        index: usize,
        attempt: u32,
        signal: Option<i32>,
    ) -> Result<(), TryAgain> {
        let Some(spec) = work.assignment.spec.containers.get(index) else { return Ok(()) };
        let signal = match signal {
            Some(signal) => signal,
            None => self.stop_signal(work, index).await,
        };
        let id = container_id(&work.assignment.task_id, &spec.name, attempt);
        let sent = self.runtime.signal(&id, signal).await;
        crash_point::crash_point!("node.container.signalled");
        match sent {
            // One that is gone already has said so, or is about to.
            Ok(()) | Err(RuntimeError::NoSuchContainer(_)) => Ok(()),
            Err(error) => Err(TryAgain(chain(&error))),
        }
    }

    async fn stop_signal(&self, work: &Work, index: usize) -> i32 {
        let Some(spec) = work.assignment.spec.containers.get(index) else { return SIGTERM };
        let reference = match work.digests.get(index).and_then(Option::as_ref) {
            Some(digest) => pinned(&spec.image, digest),
            None => spec.image.clone(),
        };
        let image = self.image(reference).await.ok();
        image
            .and_then(|image| image.config.stop_signal)
            .and_then(|signal| signal_number(&signal))
            .unwrap_or(SIGTERM)
    }

    async fn probe(&self, work: &Work, container: usize, attempt: u32) -> Option<Event> {
        let spec = work.assignment.spec.containers.get(container)?;
        let check = spec.health_check.as_ref()?;
        let id = container_id(&work.assignment.task_id, &spec.name, attempt);
        let exec = ExecSpec {
            argv: check.argv.clone(),
            timeout_ms: u64::from(check.timeout_seconds).saturating_mul(1000),
            output_limit_bytes: PROBE_OUTPUT_BYTES,
        };
        let passed = match self.runtime.exec(&id, exec).await {
            Ok(outcome) => {
                let passed = outcome.exit_code == 0 && !outcome.timed_out;
                if !passed {
                    tracing::info!(
                        container = %id,
                        exit_code = outcome.exit_code,
                        timed_out = outcome.timed_out,
                        output = outcome.output,
                        "health check failed"
                    );
                }
                passed
            }
            Err(error) => {
                tracing::info!(container = %id, error = chain(&error), "health check not run");
                false
            }
        };
        Some(Event::HealthProbed { container, attempt, passed, at: self.clock.now() })
    }

    async fn remove(&self, task_id: &str) -> Result<Event, TryAgain> {
        self.logs.drained_task(task_id, DRAIN_LIMIT).await;
        crash_point::crash_point!("node.logs.drained");
        self.network.detach(task_id).await.map_err(|error| TryAgain(chain(&error)))?;
        crash_point::crash_point!("node.network.detached");
        self.runtime.remove_task(task_id).await.map_err(|error| TryAgain(chain(&error)))?;
        crash_point::crash_point!("node.sandbox.removed");
        Ok(Event::SandboxRemoved)
    }
}

/// There is no secret store yet: a task that needs one must not start without its secrets.
fn refuse_secrets(assignment: &Assignment) -> Result<(), String> {
    let needing: Vec<String> = assignment
        .spec
        .containers
        .iter()
        .filter(|container| !container.secret_names.is_empty())
        .map(|container| format!("`{}` ({})", container.name, container.secret_names.join(", ")))
        .collect();
    if needing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "ResourceInitializationError: unable to retrieve secrets of container {}: this control \
         plane has no secret store; remove `secrets` from the task definition",
        needing.join(", ")
    ))
}

fn attach_request(assignment: &Assignment, netns: PathBuf) -> AttachRequest {
    let mode = match assignment.spec.network_mode {
        // The host's own network is never given away, not even under `--guard audit`.
        domain::NetworkMode::Bridge | domain::NetworkMode::Host => NetworkMode::Bridge,
        domain::NetworkMode::Awsvpc => NetworkMode::Awsvpc,
        domain::NetworkMode::None => NetworkMode::None,
    };
    let ports = assignment.spec.containers.iter().flat_map(|container| {
        container.port_mappings.iter().map(|mapping| PortRequest {
            container_name: container.name.clone(),
            container_port: mapping.container_port,
            host_port: mapping.host_port,
            protocol: match mapping.protocol {
                Protocol::Tcp => network::Protocol::Tcp,
                Protocol::Udp => network::Protocol::Udp,
            },
        })
    });
    let ports = if mode == NetworkMode::None { Vec::new() } else { ports.collect() };
    AttachRequest { task_id: assignment.task_id.clone(), netns, mode, ports }
}

/// The event for a network as it was made, or found again.
pub(crate) fn sandbox_ready(assignment: &Assignment, attachment: Attachment) -> Event {
    let containers = &assignment.spec.containers;
    let bindings = attachment.bindings.into_iter().filter_map(|binding| {
        let index =
            containers.iter().position(|container| container.name == binding.container_name)?;
        let binding = NetworkBinding {
            bind_ip: binding.bind_ip.to_string(),
            container_port: binding.container_port,
            host_port: binding.host_port,
            protocol: match binding.protocol {
                network::Protocol::Tcp => Protocol::Tcp,
                network::Protocol::Udp => Protocol::Udp,
            },
        };
        Some((index, binding))
    });
    let bindings = bindings.collect();
    let interface = attachment.interface;
    Event::SandboxReady {
        address: interface.as_ref().map(|interface| interface.address.to_string()),
        mac_address: interface.map(|interface| interface.mac.to_string()),
        bindings,
    }
}

/// A signal by number or name, as images write it: `SIGINT`, `INT`, `2`.
fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    nix::sys::signal::Signal::from_str(&name).ok().map(|signal| signal as i32)
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors of others print their source themselves.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mode_gives_a_task_the_hosts_network() {
        let check = |mode, expected| {
            let mut assignment = crate::test_support::assignment("t");
            assignment.spec.network_mode = mode;
            assert_eq!(attach_request(&assignment, PathBuf::new()).mode, expected, "{mode:?}");
        };
        check(domain::NetworkMode::Host, NetworkMode::Bridge);
        check(domain::NetworkMode::Bridge, NetworkMode::Bridge);
        check(domain::NetworkMode::Awsvpc, NetworkMode::Awsvpc);
        check(domain::NetworkMode::None, NetworkMode::None);
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        let check = |text, expected| assert_eq!(signal_number(text), expected, "{text}");
        check("SIGINT", Some(2));
        check("quit", Some(3));
        check("9", Some(9));
        check("SIGNONSENSE", None);
        check("65", None);
    }

    #[test]
    fn a_runtime_name_tells_start_and_container() {
        let id = container_id("t", "a-b", 3);
        assert_eq!(parse_container_name(&id.name), Some((3, "a-b")));
    }
}
