use std::collections::BTreeMap;

use runtime_oci::{FileSystemMount, Runtime, TextFiles, UserSpec, Volume};

use crate::world::{bounded, host_status, in_a_world, status_of};

#[test]
fn container_root_is_nobody_on_the_host_and_each_task_another() {
    in_a_world(|world| async {
        let (first, second) = (world.sandbox("a").await, world.sandbox("b").await);
        assert_ne!(first.uid_base, second.uid_base);
        for sandbox in [first, second] {
            let spec = world.container(&sandbox.task_id, "c", &["sleep", "1000"]);
            let (id, started) = world.start(spec).await;
            let host = host_status(started.pid);
            let base = sandbox.uid_base.to_string();
            assert_eq!(status_of(&host, "Uid"), [&*base; 4].join(" "));
            assert_eq!(status_of(&host, "Gid"), [&*base; 4].join(" "));
            assert_eq!(status_of(&host, "Groups"), "");
            let map = world.exec(&id, &["cat", "/proc/self/uid_map"]).await;
            let map: Vec<&str> = map.split_whitespace().collect();
            assert_eq!(map, ["0", &*base, "65536"]);
        }
        world
    });
}

/// Chown and net-bind-service.
const CAPABILITIES: &str = "0000000000000401";
const NONE: &str = "0000000000000000";

#[test]
fn the_program_and_what_runs_beside_it_are_confined_alike() {
    in_a_world(|world| async {
        world.sandbox("t").await;
        for (name, user, effective, uid, groups) in
            [("root", "", CAPABILITIES, "0", ""), ("app", "app", NONE, "1000", "50")]
        {
            let mut spec = world.container("t", name, &["sleep", "1000"]);
            spec.user = UserSpec::from(user);
            let (id, started) = world.start(spec).await;
            let inside = world.exec(&id, &["cat", "/proc/1/status", "/proc/self/status"]).await;
            let (main, beside) = inside.split_at(inside.rfind("Name:").unwrap());
            assert_eq!(status_of(beside, "Name"), "cat");
            for (who, status) in
                [("main", main), ("beside", beside), ("host", &host_status(started.pid))]
            {
                assert_eq!(status_of(status, "Seccomp"), "2", "{who}");
                assert_eq!(status_of(status, "NoNewPrivs"), "1", "{who}");
                assert_eq!(status_of(status, "CapEff"), effective, "{who}");
                assert_eq!(status_of(status, "CapBnd"), CAPABILITIES, "{who}");
                assert_eq!(status_of(status, "CapInh"), NONE, "{who}");
                assert_eq!(status_of(status, "CapAmb"), NONE, "{who}");
            }
            for (who, status) in [("main", main), ("beside", beside)] {
                assert_eq!(status_of(status, "Uid").split(' ').next(), Some(uid), "{who}");
                assert_eq!(status_of(status, "Groups"), groups, "{who}");
            }
            let cgroups = world.exec(&id, &["cat", "/proc/self/cgroup"]).await;
            assert!(!cgroups.contains(name), "a path of the host shows: {cgroups}");
            let of = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
            assert!(of(&started.pid.to_string()).contains(&format!("/t/{name}")));
        }
        world
    });
}

#[test]
fn kernel_interfaces_are_masked_and_dangerous_calls_fail() {
    in_a_world(|mut world| async {
        let spec = world.shell(
            "unshare -U true; unshare -m true; mount -t tmpfs t /tmp; mkdir /x && echo made; \
             echo 1 > /proc/sys/kernel/hostname; \
             head -c 1 /proc/kcore; touch /sys/x; (echo forked); cat /proc/timer_list",
        );
        let (_, stdout, stderr) = world.run(spec).await;
        assert_eq!(stdout, "made\nforked\n", "{stderr}");
        for refused in [
            "unshare(0x10000000): Operation not permitted",
            "unshare(0x20000): Operation not permitted",
            "mount: permission denied",
            "/proc/sys/kernel/hostname: Read-only file system",
            "/sys/x: Read-only file system",
        ] {
            assert!(stderr.contains(refused), "no `{refused}` in {stderr}");
        }
        world
    });
}

#[test]
fn containers_of_a_task_share_a_network_and_nothing_else() {
    in_a_world(|world| async {
        let sandbox = world.sandbox("t").await;
        let (_, first) = world.start(world.container("t", "a", &["sleep", "1000"])).await;
        let (_, second) = world.start(world.container("t", "b", &["sleep", "1000"])).await;
        let namespace =
            |pid: &str, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let (first, second) = (first.pid.to_string(), second.pid.to_string());
        for kind in ["user", "net"] {
            assert_eq!(namespace(&first, kind), namespace(&second, kind), "{kind}");
            assert_ne!(namespace(&first, kind), namespace("self", kind), "{kind}");
        }
        for kind in ["pid", "mnt", "ipc", "uts", "cgroup"] {
            assert_ne!(namespace(&first, kind), namespace(&second, kind), "{kind}");
            assert_ne!(namespace(&first, kind), namespace("self", kind), "{kind}");
        }
        use std::os::unix::fs::MetadataExt;
        let pinned = std::fs::metadata(&sandbox.network_namespace).unwrap().ino();
        assert!(namespace(&first, "net").to_str().unwrap().contains(&pinned.to_string()));
        world
    });
}

#[test]
fn a_file_given_by_content_cannot_be_changed_and_is_not_in_any_layer() {
    in_a_world(|mut world| async {
        for (read_only_root, user) in [(false, ""), (true, "app")] {
            let mut spec = world.shell(
                "cat /run/made/token; (echo x > /run/made/token) 2>/dev/null; rm /run/made/token 2>/dev/null; \
                 chmod 666 /run/made/token 2>/dev/null; mv /run/made/token /tmp/t 2>/dev/null; \
                 cat /run/made/token; stat -c %a /run/made/token",
            );
            spec.user = UserSpec::from(user);
            spec.read_only_root = read_only_root;
            let content = runtime_oci::Content("secret\n".to_owned());
            spec.text_files.further = vec![runtime_oci::TextFile {
                container_path: "/run/made/token".to_owned(),
                content,
            }];
            assert!(!format!("{spec:?}").contains("secret"));
            let (exit, stdout, stderr) = world.run(spec).await;
            assert_eq!((exit.exit_code, stdout.as_str()), (0, "secret\nsecret\n644\n"), "{stderr}");
        }
        world
    });
}

#[test]
fn volumes_files_and_directories_are_where_they_were_asked_for() {
    in_a_world(|mut world| async {
        let volume = bounded("volume", world.runtime.create_volume("t", "data")).await.unwrap();
        let mut spec = world.shell(
            "id -u; pwd; echo $HOME $HOSTNAME $A $PATH; cat /etc/hosts /etc/resolv.conf; \
             echo x > /home/app/file && echo written; echo x > /ro/file; echo x > /etc/hosts; \
             stat -c %u:%g /home/app; df -m /scratch | tail -n 1; touch /scratch/a && echo tmp",
        );
        spec.user = UserSpec::from("app");
        spec.working_directory = "/made/for/me".to_owned();
        spec.environment = vec![("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())];
        spec.text_files = TextFiles {
            hosts: Some("127.0.0.1 localhost\n".to_owned()),
            hostname: None,
            resolv_conf: Some("nameserver 192.0.2.1\n".to_owned()),
            further: Vec::new(),
        };
        let mount = |path: &str, read_only| Volume {
            source: volume.clone(),
            container_path: path.to_owned(),
            read_only,
        };
        spec.volumes = vec![mount("/home/app", false), mount("/ro", true)];
        spec.tmpfs = vec![FileSystemMount {
            container_path: "/scratch".to_owned(),
            size_mib: 3,
            options: vec!["mode=1777".to_owned(), "noexec".to_owned()],
        }];
        spec.sysctls = BTreeMap::from([("net.ipv4.tcp_syncookies".to_owned(), "0".to_owned())]);
        let (exit, stdout, stderr) = world.run(spec).await;
        assert_eq!(exit.exit_code, 0, "{stderr}");
        let lines: Vec<&str> = stdout.lines().collect();
        assert_eq!(
            lines[..7],
            [
                "1000",
                "/made/for/me",
                "/home/app box 2 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "127.0.0.1 localhost",
                "nameserver 192.0.2.1",
                "written",
                "1000:1001"
            ]
        );
        assert_eq!(lines[7].split_whitespace().nth(1), Some("3"));
        assert_eq!(lines[8], "tmp");
        assert!(stderr.contains("/ro/file: Read-only file system"), "{stderr}");
        assert!(stderr.contains("/etc/hosts: Permission denied"), "{stderr}");
        assert!(!volume.is_dir(), "volumes go with their task");
        world
    });
}
