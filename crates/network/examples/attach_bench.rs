//! How long attaching and detaching a task takes: `cargo run --release -p network --example attach_bench`.
//!
//! Needs root; runs in a network namespace of its own. Prints medians over 100 tasks, one after the other, and
//! the whole time of 100 at once.

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use network::{
    AttachRequest, HostNetwork, HostNetworkConfig, Network, NetworkMode, PortRequest, Protocol,
};
use nix::sched::{CloneFlags, unshare};

const TASKS: usize = 100;

type Failure = Box<dyn std::error::Error>;

fn new_namespace() -> Result<File, String> {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| format!("unshare: {errno}"))?;
        File::open("/proc/thread-self/ns/net").map_err(|error| error.to_string())
    };
    thread::spawn(make).join().map_err(|_| "a thread died".to_owned())?
}

fn request(number: usize, netns: &File) -> AttachRequest {
    AttachRequest {
        task_id: format!("task-{number}"),
        netns: PathBuf::from(format!("/proc/self/fd/{}", netns.as_raw_fd())),
        mode: NetworkMode::Bridge,
        ports: vec![PortRequest {
            container_name: "app".to_owned(),
            container_port: 80,
            host_port: None,
            protocol: Protocol::Tcp,
        }],
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{what:24} median {:?}, p90 {:?}, p99 {:?}", at(50), at(90), at(99));
}

fn main() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let state = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let network = HostNetwork::open(HostNetworkConfig::new(state.path()))?;
    runtime.block_on(network.recover(&[]))?;
    let namespaces = (0..TASKS).map(|_| new_namespace()).collect::<Result<Vec<_>, _>>()?;

    let (mut attached, mut detached) = (Vec::new(), Vec::new());
    for (number, namespace) in namespaces.iter().enumerate() {
        let call = network.attach(request(number, namespace));
        let (time, result) = timed(|| runtime.block_on(call));
        result?;
        attached.push(time);
    }
    report("attach", attached);
    for number in 0..TASKS {
        let id = format!("task-{number}");
        let (time, result) = timed(|| runtime.block_on(network.detach(&id)));
        result?;
        detached.push(time);
    }
    report("detach", detached);

    let namespaces = (0..TASKS).map(|_| new_namespace()).collect::<Result<Vec<_>, _>>()?;
    let calls = namespaces.iter().enumerate().map(|(number, namespace)| {
        let network = network.clone();
        let request = request(number, namespace);
        runtime.spawn(async move { network.attach(request).await })
    });
    let calls: Vec<_> = calls.collect();
    let (whole, results) = timed(|| runtime.block_on(futures_util::future::join_all(calls)));
    for result in results {
        result??;
    }
    report("attach 100 at once", vec![whole]);
    let (recovery, result) = timed(|| {
        let live: Vec<_> = (0..TASKS).map(|number| format!("task-{number}")).collect();
        runtime.block_on(network.recover(&live))
    });
    result?;
    report("recover 100", vec![recovery]);
    let (teardown, result) = timed(|| runtime.block_on(network.teardown()));
    result?;
    report("tear 100 down", vec![teardown]);
    Ok(())
}
