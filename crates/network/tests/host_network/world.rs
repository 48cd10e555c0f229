//! Network namespaces to try the driver in.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use network::{HostNetwork, HostNetworkConfig, Network, TaskLinks};
use nix::sched::{CloneFlags, setns, unshare};
use tempfile::TempDir;

/// The host's address on its uplink, and the only other machine there.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// Where the links of tasks lead.
pub(crate) const LINKS: TaskLinks = TaskLinks { agent_port: Some(7001), api_port: Some(7002) };

/// How long a client waits before it takes a way for closed.
pub(crate) const CLOSED: Duration = Duration::from_millis(300);
const OPEN: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) host: Space,
    pub(crate) outside: Space,
    pub(crate) network: HostNetwork,
    state: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// Moves the calling thread into a namespace that plays the host, and sets the driver up there.
    pub(crate) fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
        let host = Space::of_this_thread();
        let outside = Space::new(&["--net"]);
        let pid = outside.child.as_ref().expect("a child").id();
        host.shell("ip link set lo up");
        host.shell(&format!("ip link add up0 type veth peer name eth0 netns {pid}"));
        host.shell("sysctl -q -w net.ipv6.conf.up0.disable_ipv6=1");
        outside.shell("sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=1");
        host.shell(&format!("ip addr add {HOST}/24 dev up0; ip link set up0 up"));
        outside.shell(&format!("ip link set lo up; ip addr add {OUTSIDE}/24 dev eth0"));
        outside.shell(&format!("ip link set eth0 up; ip route add default via {HOST}"));
        let state = tempfile::tempdir().expect("tempdir");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("runtime");
        let network = open(&state);
        let world = Self { host, outside, network, state, runtime };
        world.run(world.network.recover(&[])).expect("recover");
        world
    }

    /// What happens when the agent is killed and started again.
    pub(crate) fn restart(&mut self) {
        self.network = open(&self.state);
    }

    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn table(&self) -> String {
        self.run(self.network.check()).expect("check").table
    }

    pub(crate) fn records(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state.path()).expect("state");
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn open(state: &TempDir) -> HostNetwork {
    let config = HostNetworkConfig { links: LINKS, ..HostNetworkConfig::new(state.path()) };
    HostNetwork::open(config).expect("open")
}

/// A network namespace, and for tasks the user namespace that owns it.
pub(crate) struct Space {
    pub(crate) path: PathBuf,
    file: File,
    child: Option<Child>,
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }
}

impl Space {
    pub(crate) fn of_task() -> Self {
        Self::new(&["--user", "--net", "--map-root-user"])
    }

    fn new(flags: &[&str]) -> Self {
        let mut child = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", "echo; exec sleep infinity"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("stdout");
        BufReader::new(stdout).read_line(&mut ready).expect("ready");
        let path = PathBuf::from(format!("/proc/{}/ns/net", child.id()));
        let file = File::open(&path).expect("namespace");
        Self { path, file, child: Some(child) }
    }

    fn of_this_thread() -> Self {
        let thread = fs::read_link("/proc/thread-self").expect("thread");
        let path = PathBuf::from("/proc").join(thread).join("ns/net");
        let file = File::open(&path).expect("namespace");
        Self { path, file, child: None }
    }

    /// Runs something in the namespace. Sockets made there stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET).expect("setns");
                work()
            });
            worker.join().expect("worker")
        })
    }

    pub(crate) fn shell(&self, script: &str) -> String {
        let output =
            self.inside(|| Command::new("sh").args(["-e", "-c", script]).output().expect("shell"));
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Answers every line with the client's address.
    pub(crate) fn serve_tcp(&self, port: u16) {
        let listener = self.inside(|| TcpListener::bind(("0.0.0.0", port)).expect("bind"));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("accept");
                let peer = stream.peer_addr().expect("peer").ip();
                thread::spawn(move || {
                    let reader = BufReader::new(stream.try_clone().expect("clone"));
                    for _ in reader.lines().map_while(Result::ok) {
                        if writeln!(stream, "{peer}").is_err() {
                            break;
                        }
                    }
                });
            }
        });
    }

    /// Sends every datagram back.
    pub(crate) fn serve_udp(&self, port: u16) {
        let socket = self.inside(|| UdpSocket::bind(("0.0.0.0", port)).expect("bind"));
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&buffer[..length], client);
            }
        });
    }

    pub(crate) fn connect(&self, target: SocketAddr) -> std::io::Result<TcpStream> {
        let stream = self.inside(|| TcpStream::connect_timeout(&target, OPEN))?;
        stream.set_read_timeout(Some(CLOSED))?;
        Ok(stream)
    }

    /// The address under which the server sees this client.
    #[track_caller]
    pub(crate) fn reaches(&self, target: SocketAddr) -> String {
        let mut stream = self
            .inside(|| TcpStream::connect_timeout(&target, OPEN))
            .unwrap_or_else(|error| panic!("{target} is closed: {error}"));
        stream.set_read_timeout(Some(OPEN)).expect("time-out");
        stream.write_all(b"hello\n").expect("write");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    pub(crate) fn is_refused(&self, target: SocketAddr) -> bool {
        self.inside(|| TcpStream::connect_timeout(&target, CLOSED)).is_err()
    }

    pub(crate) fn asks_udp(&self, target: SocketAddr) -> bool {
        let socket = self.inside(|| UdpSocket::bind("0.0.0.0:0").expect("bind"));
        socket.set_read_timeout(Some(CLOSED)).expect("time-out");
        socket.connect(target).is_ok()
            && socket.send(b"hello").is_ok()
            && socket.recv(&mut [0; 64]).is_ok()
    }
}

/// Waits up to ten seconds.
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> Result<(), String>) {
    let mut last = String::new();
    for _ in 0..1000 {
        match check() {
            Ok(()) => return,
            Err(state) => last = state,
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{what}: not after ten seconds, but: {last}");
}
