use runtime_oci::{ContainerId, Limits, Runtime, SandboxSpec, Ulimit};

use crate::world::{bounded, in_a_world};

#[test]
fn too_much_memory_kills_and_is_told() {
    in_a_world(|mut world| async {
        // Doubles a string until it no longer fits.
        let mut spec = world.shell("a=0123456789abcdef; while :; do a=$a$a; done");
        spec.limits.memory_mib = Some(16);
        let (exit, ..) = world.run(spec).await;
        assert_eq!((exit.exit_code, exit.oom_killed), (137, true));
        world
    });
}

#[test]
fn a_task_s_own_memory_limit_counts_for_its_containers() {
    in_a_world(|mut world| async {
        let limits = Limits { memory_mib: Some(24), ..Limits::default() };
        let spec = SandboxSpec { task_id: "t".to_owned(), limits };
        bounded("sandbox", world.runtime.create_sandbox(spec)).await.unwrap();
        world.start(world.shell("a=0123456789abcdef; while :; do a=$a$a; done")).await;
        assert_eq!(world.exit().await.exit_code, 137);
        world
    });
}

#[test]
fn too_many_processes_are_refused() {
    in_a_world(|mut world| async {
        let mut spec =
            world.shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all");
        spec.limits.pids = Some(8);
        let (_, stdout, stderr) = world.run(spec).await;
        assert_eq!(stdout, "");
        assert!(stderr.contains("can't fork: Resource temporarily unavailable"), "{stderr}");
        world
    });
}

#[test]
fn a_full_writable_layer_and_a_read_only_root_refuse_writes() {
    in_a_world(|mut world| async {
        let spec = world.shell("dd if=/dev/zero of=/big bs=1M count=64 2>&1; rm /big && echo gone");
        let (_, stdout, _) = world.run(spec).await;
        assert!(stdout.contains("No space left on device"), "{stdout}");
        assert!(stdout.contains("gone"), "{stdout}");
        let mut spec = world.shell("touch /tmp/x; touch /dev/shm/x && echo shm");
        spec.read_only_root = true;
        let (_, stdout, stderr) = world.run(spec).await;
        assert_eq!(stdout, "shm\n");
        assert!(stderr.contains("/tmp/x: Read-only file system"), "{stderr}");
        world
    });
}

#[test]
fn ulimits_apply_and_those_this_machine_cannot_give_are_refused() {
    in_a_world(|mut world| async {
        let ulimit = |hard| Ulimit { name: "nofile".to_owned(), soft: 100, hard };
        let mut spec = world.shell("ulimit -Sn; ulimit -Hn");
        spec.ulimits = vec![ulimit(200)];
        let (_, stdout, _) = world.run(spec).await;
        assert_eq!(stdout, "100\n200\n");
        world.sandbox("t").await;
        let mut spec = world.shell("true");
        spec.ulimits = vec![ulimit(u64::MAX / 2)];
        let error = bounded("create", world.runtime.create_container(spec)).await.unwrap_err();
        assert!(error.to_string().contains("ulimit `nofile`: the hard limit"), "{error}");
        world
    });
}

#[test]
fn usage_is_measured() {
    in_a_world(|world| async {
        world.sandbox("t").await;
        let mut spec = world.shell("sleep 1000 & wait");
        spec.limits = Limits {
            cpu_shares: Some(256),
            cpu_quota_units: Some(512),
            memory_mib: Some(64),
            memory_reservation_mib: Some(32),
            pids: Some(50),
        };
        let (id, _) = world.start(spec).await;
        world.exec(&id, &["sh", "-c", "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done"]).await;
        let stats = bounded("stats", world.runtime.stats(&id)).await.unwrap();
        assert!(stats.cpu_usage_ns > 0 && stats.memory_bytes > 0, "{stats:?}");
        assert!((1..=2).contains(&stats.pids), "{stats:?}");
        let missing = ContainerId::new("t", "missing");
        assert!(bounded("stats", world.runtime.stats(&missing)).await.is_err());
        world
    });
}
