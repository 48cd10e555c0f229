//! Images made by other tools. A tool that is not installed is skipped, and said so.

use std::path::Path;
use std::process::Command;

use crate::archive::{World, list};

fn run(program: &str, args: &[&str]) -> Option<()> {
    match Command::new(program).args(args).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program} {args:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(())
        }
        Err(error) => {
            println!("skipped: {program}: {error}");
            None
        }
    }
}

/// Makes an OCI layout with two layers, the second of which removes a file of the first.
fn make(layout: &Path, work: &Path) -> Option<()> {
    let (layout, tagged) = (layout.to_str().unwrap(), format!("{}:made", layout.display()));
    run("umoci", &["init", "--layout", layout])?;
    run("umoci", &["new", "--image", &tagged])?;
    let bundle = work.join("bundle");
    let root = bundle.join("rootfs");
    for layer in 0..2 {
        run("umoci", &["unpack", "--image", &tagged, bundle.to_str().unwrap()])?;
        if layer == 0 {
            std::fs::create_dir(root.join("bin")).unwrap();
            std::fs::write(root.join("bin/tool"), b"tool").unwrap();
            std::fs::write(root.join("removed"), b"soon").unwrap();
            std::os::unix::fs::symlink("/bin/tool", root.join("link")).unwrap();
        } else {
            std::fs::remove_file(root.join("removed")).unwrap();
            std::fs::write(root.join("bin/second"), b"second").unwrap();
        }
        run("umoci", &["repack", "--image", &tagged, bundle.to_str().unwrap()])?;
        std::fs::remove_dir_all(&bundle).unwrap();
    }
    run(
        "umoci",
        &[
            "config",
            "--image",
            &tagged,
            "--config.entrypoint",
            "/bin/tool",
            "--config.user",
            "10:20",
        ],
    )
}

fn check(world: &World, reference: &str) {
    let image = world.store.resolve(reference).unwrap().unwrap();
    assert_eq!(image.config.entrypoint, ["/bin/tool"]);
    assert_eq!(image.config.user, "10:20");
    let names: Vec<Vec<String>> = image
        .layers
        .iter()
        .map(|layer| {
            list(layer)
                .iter()
                .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect()
        })
        .collect();
    let expected = [
        vec!["/bin dir", "/bin/tool file", "/link symlink", "/removed file"],
        vec!["/bin dir", "/bin/second file", "/removed whiteout"],
    ];
    assert_eq!(names, expected);
}

#[test]
fn images_of_umoci_and_skopeo_are_imported() {
    let world = World::new();
    let work = tempfile::tempdir().unwrap();
    let layout = work.path().join("layout");
    let Some(()) = make(&layout, work.path()) else {
        return;
    };
    world.store.import(&layout, Some("tool"), &mut |_| {}).unwrap();
    check(&world, "tool:made");
    let source = format!("oci:{}:made", layout.display());
    let copies = [
        ("oci-archive", "a.tar", "plain:1", "gzip"),
        ("oci-archive", "b.tar", "packed:1", "zstd"),
        ("docker-archive", "c.tar", "saved:1", "gzip"),
    ];
    for (transport, file, name, compression) in copies {
        let file = work.path().join(file);
        let target = format!("{transport}:{}:{name}", file.display());
        let args =
            ["--insecure-policy", "copy", "--dest-compress-format", compression, &source, &target];
        let Some(()) = run("skopeo", &args) else {
            return;
        };
        world.store.import(&file, None, &mut |_| {}).unwrap();
        check(&world, name);
    }
}
