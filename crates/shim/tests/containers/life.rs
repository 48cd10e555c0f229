use runtime_oci::{ContainerId, ExecSpec, RecoveredState, Runtime, RuntimeError, UserSpec};

use crate::world::{bounded, eventually, host_status, in_a_world, status_of};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

#[test]
fn a_program_runs_and_its_exit_code_and_output_arrive() {
    in_a_world(|mut world| async {
        let spec = world.shell("echo out; echo err >&2; printf tail; exit 3");
        let (exit, stdout, stderr) = world.run(spec).await;
        assert_eq!((exit.exit_code, exit.oom_killed), (3, false));
        assert_eq!((&*stdout, &*stderr), ("out\ntail\n", "err\n"));
        assert!(exit.started_at.is_some_and(|started| started <= exit.finished_at));
        world
    });
}

#[test]
fn a_killed_container_ends_with_137_and_its_last_output_is_there() {
    in_a_world(|mut world| async {
        world.sandbox("t").await;
        let (id, _) = world.start(world.shell("echo ready; exec sleep 1000")).await;
        let mut output = world.runtime.output(&id, None).unwrap();
        let batch = bounded("ready", output.next(4096)).await.unwrap().unwrap();
        assert_eq!(batch.records().next().unwrap().line, b"ready");
        bounded("signal", world.runtime.signal(&id, SIGKILL)).await.unwrap();
        assert_eq!(world.exit().await.exit_code, 137);
        let error = bounded("signal", world.runtime.signal(&id, SIGKILL)).await.unwrap_err();
        assert!(error.to_string().contains("the container has ended"), "{error}");
        world
    });
}

#[test]
fn the_init_process_forwards_signals_and_reaps_orphans() {
    in_a_world(|mut world| async {
        world.sandbox("t").await;
        // Without an init, a shell as process 1 would not die of SIGTERM.
        let mut spec = world.shell("(sleep 0 &) ; echo ready; while :; do sleep 1; done");
        spec.init_process = true;
        let (id, _) = world.start(spec).await;
        let mut output = world.runtime.output(&id, None).unwrap();
        bounded("ready", output.next(4096)).await.unwrap();
        let processes = world.exec(&id, &["ps", "-o", "pid,comm"]).await;
        assert!(processes.lines().any(|line| line.trim() == "1 init"), "{processes}");
        assert!(!processes.contains('Z'), "{processes}");
        let seen = world.exec(&id, &["cat", "/proc/1/status"]).await;
        assert_eq!(status_of(&seen, "Seccomp"), "2");
        bounded("signal", world.runtime.signal(&id, SIGTERM)).await.unwrap();
        assert_eq!(world.exit().await.exit_code, 128 + SIGTERM);
        world
    });
}

#[test]
fn containers_survive_the_agent_and_are_found_again() {
    in_a_world(|mut world| async {
        let sandbox = world.sandbox("t").await;
        let (id, started) = world.start(world.shell("exec sleep 1000")).await;
        bounded("create", world.runtime.create_container(world.container("t", "idle", &["sh"])))
            .await
            .unwrap();
        world.start(world.container("t", "short", &["sh", "-c", "exit 4"])).await;
        assert_eq!(world.exit().await.exit_code, 4);

        world.restart_agent();
        let recovered = bounded("recover", world.runtime.recover()).await.unwrap();
        assert_eq!(recovered.sandboxes, [sandbox]);
        let names: Vec<&str> =
            recovered.containers.iter().map(|(id, _)| id.name.as_str()).collect();
        assert_eq!(names, ["c", "idle", "short"]);
        assert_eq!(recovered.containers[0].1, RecoveredState::Running(started));
        assert_eq!(recovered.containers[1].1, RecoveredState::Created);
        assert!(
            matches!(&recovered.containers[2].1, RecoveredState::Exited(exit) if exit.exit_code == 4)
        );
        bounded("signal", world.runtime.signal(&id, SIGKILL)).await.unwrap();
        let exit = world.exit().await;
        assert_eq!((exit.container, exit.exit_code), (id, 137));
        world
    });
}

#[test]
fn a_container_whose_shim_is_killed_ends_and_says_why() {
    in_a_world(|mut world| async {
        world.sandbox("t").await;
        let (_, started) = world.start(world.shell("exec sleep 1000")).await;
        let shim: i32 = status_of(&host_status(started.pid), "PPid").parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        let exit = world.exit().await;
        assert_eq!(exit.exit_code, 137);
        assert!(exit.reason.unwrap().contains("was killed"));
        eventually("its process is gone", || {
            let alive = std::fs::read_to_string(format!("/proc/{}/comm", started.pid));
            alive.into_iter().collect()
        })
        .await;
        world
    });
}

#[test]
fn what_cannot_start_says_what_and_why() {
    in_a_world(|world| async {
        world.sandbox("t").await;
        let mut number = 0;
        let mut refused = async |change: &dyn Fn(&mut runtime_oci::ContainerSpec)| {
            number += 1;
            let mut spec = world.container("t", &format!("c{number}"), &["sh"]);
            change(&mut spec);
            let id = ContainerId::new("t", &*spec.name);
            match bounded("create", world.runtime.create_container(spec)).await {
                Err(error) => error,
                Ok(()) => bounded("start", world.runtime.start_container(&id)).await.unwrap_err(),
            }
        };
        let check = |error: RuntimeError, name: &str, text: &str| {
            assert_eq!(error.ecs_name(), name, "{error}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(!error.is_machine_fault(), "{error}");
        };
        let error = refused(&|spec| spec.argv = vec!["no-such-program".to_owned()]).await;
        check(error, "CannotStartContainerError", "exec: `no-such-program`: not found");
        let error = refused(&|spec| spec.argv = vec!["/etc/passwd".to_owned()]).await;
        check(error, "CannotStartContainerError", "permission denied");
        let error = refused(&|spec| spec.user = UserSpec::from("nobody")).await;
        check(error, "CannotCreateContainerError", "unable to find user `nobody`");
        let error = refused(&|spec| spec.capabilities = vec!["FLY".to_owned()]).await;
        check(error, "CannotCreateContainerError", "`FLY` is not a Linux capability");
        let error = refused(&|spec| spec.name = "../x".to_owned()).await;
        check(error, "CannotCreateContainerError", "letters, digits");
        let error = refused(&|spec| spec.task_id = "other".to_owned()).await;
        check(error, "CannotCreateContainerError", "no sandbox");
        world
    });
}

#[test]
fn a_program_run_beside_can_fail_time_out_and_be_missing() {
    in_a_world(|world| async {
        world.sandbox("t").await;
        let (id, _) = world.start(world.shell("exec sleep 1000")).await;
        let exec = async |argv: &[&str], timeout_ms| {
            let argv = argv.iter().map(ToString::to_string).collect();
            let spec = ExecSpec { argv, timeout_ms, output_limit_bytes: 10 };
            bounded("exec", world.runtime.exec(&id, spec)).await
        };
        let outcome = exec(&["sh", "-c", "echo 0123456789abc; exit 5"], 30_000).await.unwrap();
        assert_eq!((outcome.exit_code, &*outcome.output), (5, "0123456789"));
        let outcome = exec(&["sh", "-c", "echo hung; sleep 1000"], 300).await.unwrap();
        assert_eq!((outcome.exit_code, outcome.timed_out), (137, true));
        assert_eq!(outcome.output, "hung\n");
        let error = exec(&["no-such-program"], 30_000).await.unwrap_err();
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
        world
    });
}
