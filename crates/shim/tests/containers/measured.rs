//! Figures, printed: `cargo test --release -p portcullis-shim --test containers -- --ignored
//! --nocapture --test-threads=1`.

use std::time::Duration;

use runtime_oci::{ContainerId, Runtime};
use tokio::time::Instant;

use crate::world::{World, bounded, host_status, in_a_world, status_of};

fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() - 1) * percent / 100]
}

async fn one_life(world: &World, task_id: &str) -> [Duration; 4] {
    let id = ContainerId::new(task_id, "c");
    let spec = world.container(task_id, "c", &["sleep", "1000"]);
    let begin = Instant::now();
    world.sandbox(task_id).await;
    let sandbox = Instant::now();
    bounded("create", world.runtime.create_container(spec)).await.unwrap();
    let created = Instant::now();
    let init = bounded("start", world.runtime.start_container(&id)).await.unwrap().pid;
    let started = Instant::now();
    if task_id == "warm" {
        eprintln!("shim: {}", shim_memory(init));
    }
    [sandbox - begin, created - sandbox, started - created, started - begin]
}

#[test]
#[ignore = "a measurement"]
fn latency_of_a_start_and_memory_of_a_shim() {
    in_a_world(|world| async {
        one_life(&world, "warm").await;
        bounded("remove", world.runtime.remove_task("warm")).await.unwrap();
        let mut samples = [const { Vec::new() }; 4];
        let mut removals = Vec::new();
        for round in 0..60 {
            let task_id = format!("t{round}");
            for (sample, took) in samples.iter_mut().zip(one_life(&world, &task_id).await) {
                sample.push(took);
            }
            if round == 0 {
                let id = ContainerId::new(&*task_id, "c");
                let begin = Instant::now();
                world.exec(&id, &["sh", "-c", ":"]).await;
                eprintln!("exec: {:?}", begin.elapsed());
            }
            let begin = Instant::now();
            bounded("remove", world.runtime.remove_task(&task_id)).await.unwrap();
            removals.push(begin.elapsed());
        }
        for (name, samples) in ["sandbox", "create", "start", "together"].iter().zip(&mut samples) {
            eprintln!(
                "{name}: p50 {:?} p99 {:?}",
                percentile(samples, 50),
                percentile(samples, 99)
            );
        }
        eprintln!("remove: p50 {:?}", percentile(&mut removals, 50));
        world
    });
}

fn shim_memory(init: u32) -> String {
    let shim = status_of(&host_status(init), "PPid");
    let rollup = std::fs::read_to_string(format!("/proc/{shim}/smaps_rollup")).unwrap();
    ["Pss", "Private_Dirty", "Rss"]
        .map(|name| format!("{name} {}", status_of(&rollup, name)))
        .join(", ")
}

#[test]
#[ignore = "a measurement"]
fn lines_a_second_through_pipe_spool_and_reader() {
    in_a_world(|mut world| async {
        world.sandbox("t").await;
        let script = "i=0; while [ $i -lt 60 ]; do cat /lines; i=$((i+1)); done";
        let make = "busybox awk 'BEGIN { for (i = 100000; i < 200000; i++) print \"GET /quotes/\" i \" HTTP/1.1 200 took 12ms\" }' > /lines";
        let spec = world.shell(&format!("{make}; echo made; {script}"));
        let (id, _) = world.start(spec).await;
        let mut output = world.runtime.output(&id, None).unwrap();
        let (mut lines, mut bytes, mut begin) = (0_u64, 0_u64, Instant::now());
        while let Some(batch) = bounded("output", output.next(1 << 20)).await.unwrap() {
            for record in batch.records() {
                if record.line == b"made" {
                    begin = Instant::now();
                }
                lines += 1;
                bytes += record.line.len() as u64;
            }
            let position = batch.next();
            output.commit(position).unwrap();
        }
        let seconds = begin.elapsed().as_secs_f64();
        assert_eq!(lines, 6_000_001);
        let (rate, speed) = (6e6 / seconds, bytes as f64 / seconds / 1e6);
        eprintln!("{rate:.0} lines/s, {speed:.0} MB/s");
        world.exit().await;
        world
    });
}
