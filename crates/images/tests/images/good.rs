//! What well-formed archives become.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use images::{Digest, Image};
use serde_json::json;
use tar::EntryType;

use crate::archive::{Archive, INDEX, Layer, MANIFEST, Tar, World, arch, config, gzip, list};

fn base() -> Vec<u8> {
    Tar::default().dir("etc").file("etc/hosts", b"localhost").file("bin/sh", b"#!").end()
}

fn top() -> Vec<u8> {
    Tar::default().file("quotes", b"binary").end()
}

fn check(image: &Image, reference: &str, layers: &[Vec<u8>]) {
    assert_eq!(image.reference, reference);
    let names: Vec<_> = image
        .layers
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = layers.iter().map(|layer| Digest::of(layer).hex().to_owned()).collect();
    assert_eq!(names, expected, "lowest layer first");
    assert_eq!(image.config.entrypoint, ["/quotes"]);
    assert_eq!(image.config.cmd, ["serve"]);
    assert_eq!(image.config.env, ["A=b"]);
    assert_eq!(
        (image.config.user.as_str(), image.config.working_dir.as_str()),
        ("65532:65532", "/w")
    );
    assert_eq!(image.config.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(image.config.exposed_ports, ["8080/tcp"]);
    assert_eq!(image.config.labels.get("k").map(String::as_str), Some("v"));
}

#[test]
fn a_layout_with_every_compression_is_imported_once() {
    let world = World::new();
    let third = Tar::default().file("third", b"3").end();
    let layers = [Layer::plain(base()), Layer::gzip(&top()), Layer::zstd(&third)];
    let archive = Archive::layout(&layers, Some("quotes:1")).tar();
    let first = world.import(&archive, None).unwrap();
    assert_eq!(
        (first[0].reference.as_str(), first[0].layers_unpacked, first[0].layers_reused),
        ("quotes:1", 3, 0)
    );
    let image = world.store.resolve("docker.io/library/quotes:1").unwrap().unwrap();
    check(&image, "quotes:1", &[base(), top(), third]);
    assert_eq!(std::fs::read(image.layers[1].join("quotes")).unwrap(), b"binary");
    let before = world.listing();
    let second = world.import(&archive, None).unwrap();
    assert_eq!((second[0].layers_unpacked, second[0].layers_reused), (0, 3));
    assert_eq!(second[0].manifest_digest, image.manifest_digest);
    assert_eq!(world.listing(), before);
    let pinned = format!("quotes@{}", image.manifest_digest);
    assert_eq!(world.store.resolve(&pinned).unwrap().unwrap().layers, image.layers);
    assert_eq!(world.store.resolve("quotes").unwrap(), None, "the default tag is latest");
    assert_eq!(world.store.resolve(&format!("other@{}", image.manifest_digest)).unwrap(), None);
}

#[test]
fn a_layout_directory_is_imported_under_the_name_given() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    for (name, data) in Archive::layout(&[Layer::gzip(&top())], Some("1.2")).0 {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
    let mut seen = Vec::new();
    let mut progress = |step: images::Progress<'_>| {
        seen.push((step.layer, step.layers, step.done_bytes == step.total_bytes))
    };
    world.store.import(directory.path(), Some("registry.example/quotes"), &mut progress).unwrap();
    assert_eq!(seen.last(), Some(&(1, 1, true)));
    let image = world.store.resolve("registry.example/quotes:1.2").unwrap().unwrap();
    check(&image, "registry.example/quotes:1.2", &[top()]);
}

#[test]
fn both_forms_of_docker_save_are_imported() {
    let world = World::new();
    let layers = [Layer::plain(base()), Layer::gzip(&top())];
    let old = Archive::saved(&layers, &json!(["quotes:1", "quotes:stable"]));
    let imported = world.import(&old.tar(), None).unwrap();
    assert_eq!(
        imported.iter().map(|image| image.reference.as_str()).collect::<Vec<_>>(),
        ["quotes:1", "quotes:stable"]
    );
    check(
        &world.store.resolve("quotes:stable").unwrap().unwrap(),
        "quotes:stable",
        &[base(), top()],
    );

    // The newer form carries the older one too; the layout counts.
    let mut new = Archive::layout(&layers, None);
    let index = String::from_utf8(new.0["index.json"].clone()).unwrap();
    let mut index: serde_json::Value = serde_json::from_str(&index).unwrap();
    index["manifests"][0]["annotations"] = json!({"io.containerd.image.name": "docker.io/library/other:7", "org.opencontainers.image.ref.name": "7"});
    new.0.insert("index.json".into(), index.to_string().into_bytes());
    new.0.insert("manifest.json".into(), b"[]".to_vec());
    world.import(&new.tar(), None).unwrap();
    check(
        &world.store.resolve("other:7").unwrap().unwrap(),
        "docker.io/library/other:7",
        &[base(), top()],
    );
}

#[test]
fn a_layer_that_docker_save_links_is_read_through_the_link() {
    let world = World::new();
    let mut archive = Archive::saved(&[Layer::plain(top()), Layer::plain(top())], &json!(["a:1"]));
    archive.0.remove("1/layer.tar");
    let tar = archive.0.iter().fold(Tar::default(), |tar, (name, data)| tar.file(name, data));
    world.import(&tar.symlink("1/layer.tar", "../0/layer.tar").end(), None).unwrap();
    let image = world.store.resolve("a:1").unwrap().unwrap();
    check(&image, "a:1", &[top()]);
}

#[test]
fn this_machines_platform_is_taken_from_an_index() {
    let world = World::new();
    let mut archive = Archive::default();
    let layer = [Layer::gzip(&top())];
    let mut other = config(&[&layer[0].2]);
    other["architecture"] = json!("s390x");
    let mut foreign = archive.manifest(&other, &layer);
    foreign["platform"] = json!({"os": "linux", "architecture": "s390x"});
    let mut ours = archive.manifest(&config(&[&layer[0].2]), &layer);
    ours["platform"] = json!({"os": "linux", "architecture": arch()});
    let mut proof = archive.json(MANIFEST, &json!({"not": "an image"}));
    proof["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    proof["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let nested = archive
        .json(INDEX, &json!({"schemaVersion": 2, "manifests": [foreign, ours.clone(), proof]}));
    world.import(&archive.index(json!([nested]), Some("quotes:1")).tar(), None).unwrap();
    let image = world.store.resolve("quotes:1").unwrap().unwrap();
    assert_eq!(image.manifest_digest.as_str(), ours["digest"].as_str().unwrap());
}

#[test]
fn files_keep_owner_mode_time_and_links() {
    let world = World::new();
    let layer = Tar::default()
        .dir("./")
        .dir("./usr/")
        .dir("usr/lib")
        .symlink("lib", "usr/lib")
        .file("lib/through-a-link", b"1")
        .mode("su", 0o4755, b"root")
        .hard_link("su2", "./su")
        .kind("pipe", EntryType::Fifo)
        .symlink("absolute", "/etc/passwd")
        .file("twice", b"old")
        .file("twice", b"new")
        .pax(&[
            ("path", &format!("long/{}/x", "n".repeat(200))),
            ("uid", "100000"),
            ("SCHILY.xattr.user.a", "b"),
        ])
        .file("short", b"long name")
        .long_name(format!("gnu/{}\0", "g".repeat(200)).as_bytes())
        .file("short", b"gnu")
        .end();
    world.import(&Archive::layout(&[Layer::gzip(&layer)], Some("quotes:1")).tar(), None).unwrap();
    let root = &world.store.resolve("quotes:1").unwrap().unwrap().layers[0];
    let expected = [
        "/absolute symlink 777 7:8".to_owned(),
        "/gnu dir 755 0:0".to_owned(),
        format!("/gnu/{} file 644 7:8", "g".repeat(200)),
        "/lib symlink 777 7:8".to_owned(),
        "/long dir 755 0:0".to_owned(),
        format!("/long/{} dir 755 0:0", "n".repeat(200)),
        format!("/long/{}/x file 644 100000:8", "n".repeat(200)),
        "/pipe fifo 644 7:8".to_owned(),
        "/su file 4755 7:8".to_owned(),
        "/su2 file 4755 7:8".to_owned(),
        "/twice file 644 7:8".to_owned(),
        "/usr dir 755 7:8".to_owned(),
        "/usr/lib dir 755 7:8".to_owned(),
        "/usr/lib/through-a-link file 644 7:8".to_owned(),
    ];
    assert_eq!(list(root), expected);
    assert_eq!(std::fs::read(root.join("twice")).unwrap(), b"new");
    let inode = |name: &str| root.join(name).symlink_metadata().unwrap().ino();
    assert_eq!(inode("su"), inode("su2"));
    for name in ["usr", "su", "absolute"] {
        assert_eq!(
            root.join(name).symlink_metadata().unwrap().mtime(),
            1_000_000_000,
            "time of {name}"
        );
    }
}

fn opaque(path: &Path) -> bool {
    let mut value = [0; 4];
    let read = rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut value);
    read.is_ok_and(|length| value[..length] == *b"y")
}

#[test]
fn whiteouts_become_what_overlayfs_understands() {
    let world = World::new();
    let layer = Tar::default()
        .file("etc/.wh.hosts", b"")
        .dir("var")
        .file("var/.wh..wh..opq", b"")
        .file("var/kept", b"")
        .file(".wh.srv", b"")
        .dir("srv")
        .dir("opt")
        .file(".wh.opt", b"")
        .file("file", b"stays")
        .file(".wh.file", b"")
        .file(".wh..wh.plnk", b"")
        .end();
    world.import(&Archive::layout(&[Layer::plain(layer)], Some("quotes:1")).tar(), None).unwrap();
    let root = &world.store.resolve("quotes:1").unwrap().unwrap().layers[0];
    let names: Vec<_> = list(root)
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "/etc dir",
        "/etc/hosts whiteout",
        "/file file",
        "/opt dir",
        "/srv dir",
        "/var dir",
        "/var/kept file",
    ];
    assert_eq!(names, expected);
    assert_eq!(root.join("etc/hosts").symlink_metadata().unwrap().rdev(), 0);
    let marked: Vec<_> =
        ["etc", "opt", "srv", "var"].into_iter().filter(|name| opaque(&root.join(name))).collect();
    assert_eq!(marked, ["opt", "srv", "var"]);
}

#[test]
fn a_gzip_layer_of_several_members_is_read_whole() {
    let world = World::new();
    let tar = base();
    let (left, right) = tar.split_at(700);
    let layer = Layer([gzip(left), gzip(right)].concat(), "+gzip", Digest::of(&tar));
    world.import(&Archive::layout(&[layer], Some("quotes:1")).tar(), None).unwrap();
    check(&world.store.resolve("quotes:1").unwrap().unwrap(), "quotes:1", &[tar]);
}
