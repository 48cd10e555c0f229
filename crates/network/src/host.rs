//! The driver for Linux.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    ops::RangeInclusive,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    driver::{
        AttachRequest, Attachment, Binding, Interface, Network, NetworkMode, NetworkReport,
        Recovery, TaskLinks,
    },
    error::NetworkError,
    firewall::Firewall,
    link,
    netlink::Channel,
    pool::AddressPool,
    ports::PortTable,
    reaper::Reaper,
    record::{HostOpenPort, Record, RecordStore},
    ruleset::Ruleset,
    subnet::Subnet,
};

/// How many ports a task may publish.
pub const MAX_PORTS_PER_TASK: usize = 1024;

const MAX_TASK_ID_BYTES: usize = 64;

/// What tells one instance from others on the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNetworkConfig {
    /// Where the records of attached tasks are kept. Its path names the instance: the nftables table and the
    /// interfaces carry a hash of it.
    pub state_dir: PathBuf,
    /// Where tasks get their addresses from. Instances on one machine need different ones.
    pub subnet: Subnet,
    /// Where host ports are chosen from when a mapping names none.
    pub dynamic_ports: RangeInclusive<u16>,
    /// What tasks may open connections to.
    pub links: TaskLinks,
}

impl HostNetworkConfig {
    /// The usual values: `10.213.0.0/16` and ECS's dynamic port range, 49153 to 65535; no links.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let state_dir = state_dir.into();
        Self {
            state_dir,
            subnet: Subnet::default(),
            dynamic_ports: 49153..=65535,
            links: TaskLinks::default(),
        }
    }
}

/// [`Network`] with one routed veth pair per task and one nftables table per instance. Belongs to the network
/// namespace of the thread that opens it; must be used within a tokio runtime.
#[derive(Debug, Clone)]
pub struct HostNetwork {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    subnet: Subnet,
    table: String,
    interface_prefix: String,
    group: u32,
    firewall: Mutex<Firewall>,
    records: RecordStore,
    addresses: Arc<Mutex<AddressPool>>,
    ports: Mutex<PortTable>,
    tasks: Mutex<Tasks>,
    reaper: Reaper,
}

#[derive(Debug, Default)]
struct Tasks {
    ready: bool,
    /// `None` while a task is being attached or detached.
    attached: BTreeMap<String, Option<Record>>,
}

impl HostNetwork {
    /// Makes a driver; the kernel is not touched before [`Network::recover`].
    ///
    /// # Errors
    /// When the state directory cannot be created or a thread cannot be started.
    pub fn open(config: HostNetworkConfig) -> Result<Self, NetworkError> {
        let HostNetworkConfig { state_dir, subnet, dynamic_ports, links } = config;
        let instance = instance_id(&state_dir);
        // Group 0 is where all interfaces are at first.
        let group = 0x5000_0000 | instance;
        let addresses = Arc::new(Mutex::new(AddressPool::new(subnet)));
        let table = format!("portcullis_{instance:06x}");
        let interface_prefix = format!("pc{instance:06x}");
        let rules = Ruleset {
            table: table.clone(),
            interface_prefix: interface_prefix.clone(),
            gateway: subnet.gateway(),
            links,
        };
        let inner = Inner {
            subnet,
            table,
            interface_prefix,
            group,
            firewall: Mutex::new(Firewall::new(rules)?),
            records: RecordStore::open(state_dir)?,
            ports: Mutex::new(PortTable::new(dynamic_ports)),
            tasks: Mutex::new(Tasks::default()),
            reaper: Reaper::start(group, Arc::clone(&addresses))?,
            addresses,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, NetworkError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, NetworkError>> {
        let inner = Arc::clone(&self.inner);
        async move {
            tokio::task::spawn_blocking(move || work(&inner))
                .await
                .map_err(|_| NetworkError::Interrupted)?
        }
        .boxed()
    }
}

impl Network for HostNetwork {
    fn check(&self) -> BoxFuture<'_, Result<NetworkReport, NetworkError>> {
        self.run(Inner::check)
    }

    fn recover<'a>(&'a self, live: &'a [String]) -> BoxFuture<'a, Result<Recovery, NetworkError>> {
        let live = live.to_vec();
        self.run(move |inner| inner.recover(&live))
    }

    fn attach(&self, request: AttachRequest) -> BoxFuture<'_, Result<Attachment, NetworkError>> {
        self.run(move |inner| inner.attach(&request))
    }

    fn detach<'a>(&'a self, task_id: &'a str) -> BoxFuture<'a, Result<(), NetworkError>> {
        let task_id = task_id.to_owned();
        self.run(move |inner| inner.detach(&task_id))
    }

    fn teardown(&self) -> BoxFuture<'_, Result<(), NetworkError>> {
        self.run(Inner::teardown)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 24 bits of the FNV-1a hash of a path.
fn instance_id(state_dir: &Path) -> u32 {
    let hash =
        state_dir.as_os_str().as_bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    (hash >> 24 ^ hash) & 0x00ff_ffff
}

impl Inner {
    fn check(&self) -> Result<NetworkReport, NetworkError> {
        Channel::route().map_err(NetworkError::kernel("open a netlink socket"))?;
        lock(&self.firewall).probe()?;
        Ok(NetworkReport {
            table: self.table.clone(),
            interface_prefix: self.interface_prefix.clone(),
            forwarding: link::forwarding()?,
        })
    }

    fn attach(&self, request: &AttachRequest) -> Result<Attachment, NetworkError> {
        validate(request)?;
        let netns = link::open_netns(&request.netns)?;
        self.claim(&request.task_id)?;
        let record = match self.reserve(request) {
            Ok(record) => record,
            Err(error) => {
                lock(&self.tasks).attached.remove(&request.task_id);
                return Err(error);
            }
        };
        let made = self
            .records
            .write(&record)
            .inspect(|()| crash_point::crash_point!("network.record.written"))
            .and_then(|()| link::connect(&netns, record.attachment.interface.as_ref()))
            .inspect(|()| crash_point::crash_point!("network.link.made"))
            .and_then(|()| lock(&self.firewall).open(&record));
        if let Err(error) = made {
            if let Err(left) = self.dismantle(&record) {
                tracing::error!(task_id = request.task_id, error = %left, "a failed attachment left something");
            }
            lock(&self.tasks).attached.remove(&request.task_id);
            return Err(error);
        }
        let attachment = record.attachment.clone();
        lock(&self.tasks).attached.insert(request.task_id.clone(), Some(record));
        Ok(attachment)
    }

    fn claim(&self, task_id: &str) -> Result<(), NetworkError> {
        let mut tasks = lock(&self.tasks);
        if !tasks.ready {
            return Err(NetworkError::NotReady);
        }
        if tasks.attached.contains_key(task_id) {
            return Err(NetworkError::AlreadyAttached { task_id: task_id.to_owned() });
        }
        tasks.attached.insert(task_id.to_owned(), None);
        Ok(())
    }

    fn reserve(&self, request: &AttachRequest) -> Result<Record, NetworkError> {
        let mut record = Record {
            task_id: request.task_id.clone(),
            mode: request.mode,
            attachment: Attachment { interface: None, bindings: Vec::new() },
            host_open: Vec::new(),
        };
        match request.mode {
            NetworkMode::None => return Ok(record),
            NetworkMode::Awsvpc => {
                record.host_open = (request.ports.iter())
                    .map(|port| HostOpenPort { protocol: port.protocol, port: port.container_port })
                    .collect();
            }
            NetworkMode::Bridge => {
                let host_ports = lock(&self.ports).reserve(&request.task_id, &request.ports)?;
                record.attachment.bindings = (request.ports.iter().zip(host_ports))
                    .map(|(port, host_port)| Binding {
                        container_name: port.container_name.clone(),
                        container_port: port.container_port,
                        host_port,
                        protocol: port.protocol,
                        bind_ip: Ipv4Addr::UNSPECIFIED,
                    })
                    .collect();
            }
        }
        match lock(&self.addresses).take() {
            Ok(address) => record.attachment.interface = Some(self.interface(address)),
            Err(error) => {
                lock(&self.ports).release(&request.task_id);
                return Err(error);
            }
        }
        Ok(record)
    }

    fn interface(&self, address: Ipv4Addr) -> Interface {
        let number = self.subnet.index_of(address).unwrap_or_default();
        Interface {
            address,
            prefix_len: 32,
            gateway: self.subnet.gateway(),
            mac: link::mac_of_task(address),
            host_interface: format!("{}{number:x}", self.interface_prefix),
        }
    }

    fn detach(&self, task_id: &str) -> Result<(), NetworkError> {
        let record = match lock(&self.tasks).attached.get_mut(task_id) {
            None => return Ok(()),
            Some(record) => {
                record.take().ok_or_else(|| NetworkError::Busy { task_id: task_id.to_owned() })?
            }
        };
        let done = self.dismantle(&record);
        let mut tasks = lock(&self.tasks);
        match done {
            Ok(()) => tasks.attached.remove(task_id),
            Err(_) => tasks.attached.insert(task_id.to_owned(), Some(record)),
        };
        done
    }

    /// Takes everything from a task. May be repeated.
    fn dismantle(&self, record: &Record) -> Result<(), NetworkError> {
        lock(&self.firewall).close(record)?;
        crash_point::crash_point!("network.rules.closed");
        if let Some(interface) = &record.attachment.interface {
            link::retire(interface, self.group)?;
        }
        crash_point::crash_point!("network.link.retired");
        self.records.remove(&record.task_id)?;
        lock(&self.ports).release(&record.task_id);
        if let Some(interface) = &record.attachment.interface {
            self.reaper.bury(interface.clone());
        }
        Ok(())
    }

    fn recover(&self, live: &[String]) -> Result<Recovery, NetworkError> {
        let mut tasks = lock(&self.tasks);
        let live: BTreeSet<&String> = live.iter().collect();
        let mut recovery = Recovery::default();
        self.reset(&mut tasks);
        let mut orphans = Vec::new();
        for (task_id, record) in self.records.load()? {
            match record {
                Some(record) if live.contains(&task_id) && self.keep(&record) => {
                    recovery.kept.insert(task_id.clone(), record.attachment.clone());
                    tasks.attached.insert(task_id, Some(record));
                }
                record => orphans.push((task_id, record)),
            }
        }
        let kept = tasks.attached.iter();
        let kept = kept.filter_map(|(id, record)| Some((id.clone(), record.clone()?))).collect();
        lock(&self.firewall).install(kept)?;
        link::enable_forwarding()?;
        recovery.removed = self.bury_orphans(orphans)?;
        recovery.removed.retain(|task_id| !live.contains(task_id));
        self.delete_interfaces_except(&recovery)?;
        recovery.broken =
            live.into_iter().filter(|id| !recovery.kept.contains_key(*id)).cloned().collect();
        tasks.ready = true;
        Ok(recovery)
    }

    /// Takes over what a live task has; false when its interface is gone.
    fn keep(&self, record: &Record) -> bool {
        if let Some(interface) = &record.attachment.interface {
            let address = interface.address;
            if *interface != self.interface(address) || !link::is_present(&interface.host_interface)
            {
                return false;
            }
            if !lock(&self.addresses).keep(address) {
                return false;
            }
        }
        let mut ports = lock(&self.ports);
        for binding in &record.attachment.bindings {
            if !ports.keep(&record.task_id, binding.protocol, binding.host_port) {
                let (host_port, protocol) = (binding.host_port, binding.protocol);
                let task_id = &record.task_id;
                tracing::warn!(task_id, host_port, %protocol, "another process bound a published port");
            }
        }
        true
    }

    /// Removes connections and records; the names of the tasks are returned.
    fn bury_orphans(
        &self,
        orphans: Vec<(String, Option<Record>)>,
    ) -> Result<Vec<String>, NetworkError> {
        let records = orphans.iter().filter_map(|(_, record)| record.as_ref());
        let interfaces = records.filter_map(|record| record.attachment.interface.as_ref());
        lock(&self.firewall).forget(&interfaces.map(|interface| interface.address).collect())?;
        let bury = |(task_id, _): (String, _)| self.records.remove(&task_id).map(|()| task_id);
        orphans.into_iter().map(bury).collect()
    }

    fn delete_interfaces_except(&self, recovery: &Recovery) -> Result<(), NetworkError> {
        let interfaces = recovery.kept.values().filter_map(|kept| kept.interface.as_ref());
        let kept: BTreeSet<_> = interfaces.map(|kept| kept.host_interface.as_str()).collect();
        let mut names = link::names_with_prefix(&self.interface_prefix)?;
        names.retain(|name| !kept.contains(name.as_str()));
        for name in &names {
            link::retire_by_name(name, self.group)?;
        }
        if names.is_empty() { Ok(()) } else { link::delete_group(self.group) }
    }

    fn teardown(&self) -> Result<(), NetworkError> {
        let mut tasks = lock(&self.tasks);
        self.reset(&mut tasks);
        self.delete_interfaces_except(&Recovery::default())?;
        self.bury_orphans(self.records.load()?)?;
        // Last, so that no task is ever without rules.
        lock(&self.firewall).uninstall()
    }

    /// Forgets all tasks; nothing is attached until the next recovery.
    fn reset(&self, tasks: &mut Tasks) {
        tasks.ready = false;
        for (task_id, record) in std::mem::take(&mut tasks.attached) {
            lock(&self.ports).release(&task_id);
            if let Some(interface) = record.and_then(|record| record.attachment.interface) {
                lock(&self.addresses).give_back(interface.address);
            }
        }
    }
}

fn validate(request: &AttachRequest) -> Result<(), NetworkError> {
    let id = &request.task_id;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let problem = if id.is_empty() || id.len() > MAX_TASK_ID_BYTES || !id.bytes().all(plain) {
        format!("its id must be 1 to {MAX_TASK_ID_BYTES} letters, digits, `-` or `_`")
    } else if request.ports.len() > MAX_PORTS_PER_TASK {
        format!("it maps {} ports, more than {MAX_PORTS_PER_TASK}", request.ports.len())
    } else if request.mode == NetworkMode::None && !request.ports.is_empty() {
        "it maps ports in network mode `none`: remove the port mappings".to_owned()
    } else if request.ports.iter().any(|port| port.container_port == 0 || port.host_port == Some(0))
    {
        "port 0 cannot be mapped: leave the host port out for one of the dynamic range".to_owned()
    } else {
        return Ok(());
    };
    Err(NetworkError::InvalidRequest { task_id: id.clone(), problem })
}
