//! Archives that must be refused, for the right reason, leaving nothing behind.

use images::{Digest, ImageError, Limits};
use serde_json::{Value, json};
use tar::EntryType;

use crate::archive::{Archive, CONFIG, INDEX, LAYER, Layer, MANIFEST, Tar, World, config, gzip};

fn check(case: &str, limits: Limits, archive: &[u8], message: &str) {
    let mut world = World::new();
    let good =
        Archive::layout(&[Layer::plain(Tar::default().file("good", b"").end())], Some("good:1"));
    world.import(&good.tar(), None).unwrap();
    world.store = world.store.with_limits(limits);
    let before = world.listing();
    match world.import(archive, None) {
        Err(error @ ImageError::Refused { .. }) => {
            let text = error.to_string();
            assert!(text.contains(message), "{case}: `{text}` does not say `{message}`");
            assert!(!text.contains('\n'), "{case}: more than one line");
        }
        other => panic!("{case}: {other:?}"),
    }
    assert_eq!(world.listing(), before, "{case}: something was left behind");
    assert_eq!(std::fs::read(world.root.path().join("canary")).unwrap(), b"untouched", "{case}");
}

fn small() -> Limits {
    Limits {
        unpacked_bytes: 4 << 20,
        file_bytes: 1 << 20,
        entries: 40,
        depth: 16,
        ratio: 100,
        ratio_free_bytes: 1 << 20,
        json_bytes: 16 << 10,
        layers: 4,
        ..Limits::default()
    }
}

/// Checks a layer's tar stream in both compressed and plain form.
fn layer(case: &str, tar: Vec<u8>, message: &str) {
    check(case, small(), &Archive::layout(&[Layer::gzip(&tar)], Some("bad:1")).tar(), message);
    check(case, small(), &Archive::saved(&[Layer::plain(tar)], &json!(["bad:1"])).tar(), message);
}

#[test]
fn paths_that_leave_the_image_are_refused() {
    let t = Tar::default;
    layer("parent", t().file("../canary", b"x").end(), "entry `../canary`: the path contains `..`");
    layer("inner parent", t().file("a/../../canary", b"x").end(), "contains `..`");
    layer("last parent", t().dir("a/..").end(), "contains `..`");
    layer(
        "absolute",
        t().file("/etc/canary", b"x").end(),
        "entry `/etc/canary`: the path is absolute",
    );
    layer(
        "absolute link",
        t().symlink("a", "/tmp").file("a/canary", b"x").end(),
        "through a symbolic link",
    );
    layer(
        "relative link",
        t().symlink("a", "../..").file("a/canary", b"x").end(),
        "entry `a/canary`: the path leads out",
    );
    layer(
        "chain",
        t().symlink("a", "b").symlink("b", "..").file("a/canary", b"x").end(),
        "through a symbolic link",
    );
    layer("dangling", t().symlink("a", "b").file("a/x", b"x").end(), "through a symbolic link");
    layer(
        "loop",
        t().symlink("a", "b").symlink("b", "a").file("a/x", b"x").end(),
        "through a symbolic link",
    );
    layer("whiteout parent", t().file(".wh...", b"").end(), "forbidden byte or name");
    layer("whiteout nothing", t().file(".wh.", b"").end(), "forbidden byte or name");
    layer(
        "whiteout through",
        t().symlink("a", "/").file("a/.wh.canary", b"").end(),
        "through a symbolic link",
    );
    layer(
        "opaque through",
        t().symlink("a", "..").file("a/.wh..wh..opq", b"").end(),
        "through a symbolic link",
    );
    layer("below a whiteout", t().file(".wh.a/b", b"").end(), "forbidden byte or name");
    layer("pax path", t().pax(&[("path", "../canary")]).file("x", b"x").end(), "entry `../canary`");
    layer("gnu path", t().long_name(b"../canary\0").file("x", b"x").end(), "entry `../canary`");
    layer("inner zero byte", t().pax(&[("path", "a\0b")]).file("x", b"x").end(), "forbidden byte");
    layer("file as root", t().file("./", b"x").end(), "forbidden byte or name");
    layer("under a file", t().file("a", b"").file("a/b", b"x").end(), "not a directory");
    layer("file over directory", t().dir("a").file("a", b"x").end(), "replace a directory");
}

#[test]
fn hard_links_that_leave_the_image_are_refused() {
    let t = Tar::default;
    layer(
        "absolute",
        t().hard_link("a", "/etc/passwd").end(),
        "hard link's target `/etc/passwd` is outside",
    );
    layer(
        "parent",
        t().hard_link("a", "../../canary").end(),
        "hard link's target `../../canary` is outside",
    );
    layer(
        "through",
        t().symlink("s", "../..").hard_link("a", "s/canary").end(),
        "leads out of the image",
    );
    layer("missing", t().hard_link("a", "b").end(), "hard link's target `b` is not a file");
    layer(
        "directory",
        t().dir("b").hard_link("a", "b").end(),
        "hard link's target `b` is not a file",
    );
    layer(
        "whiteout",
        t().file(".wh.b", b"").hard_link("a", "b").end(),
        "hard link's target `b` is not a file",
    );
    layer(
        "itself",
        t().file("a", b"").hard_link("a", "a").end(),
        "hard link's target `a` is not a file",
    );
    layer(
        "with content",
        t().file("b", b"").raw(Tar::header(b"a", EntryType::Link, 3), b"abc").end(),
        "has a size",
    );
}

#[test]
fn special_entries_are_refused() {
    let t = Tar::default;
    layer(
        "character device",
        t().kind("dev/mem", EntryType::Char).end(),
        "entry `dev/mem`: it is a device node",
    );
    layer("block device", t().kind("dev/sda", EntryType::Block).end(), "device node");
    layer("sparse", t().kind("s", EntryType::GNUSparse).end(), "sparse file");
    let pax = [("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "99999999999")];
    layer("pax sparse", t().pax(&pax).file("s", b"").end(), "sparse file");
    layer("unknown", t().kind("x", EntryType::new(b'Z')).end(), "type `Z` are not supported");
    layer("no owner", t().pax(&[("uid", "4294967295")]).file("a", b"").end(), "owner is not an id");
    layer("bad owner", t().pax(&[("uid", "-1")]).file("a", b"").end(), "extended header: uid");
    layer("two sizes", t().pax(&[("size", "7")]).file("a", b"x").end(), "two different sizes");
}

#[test]
fn archives_that_cost_too_much_are_refused() {
    let t = Tar::default;
    let huge = Tar::header(b"huge", EntryType::Regular, usize::MAX >> 1);
    layer("claimed size", t().raw(huge, b"").end(), "more than 1048576 bytes");
    layer(
        "file size",
        t().file("big", &vec![1; (1 << 20) + 1]).end(),
        "entry `big`: the file has more than 1048576",
    );
    // Sixteen different bytes: half the size when packed.
    let noise: Vec<u8> =
        (0u32..1 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 28) as u8).collect();
    let total = (0..5).fold(t(), |tar, i| tar.file(&format!("f{i}"), &noise)).end();
    let packed = |tar: &[u8]| Archive::layout(&[Layer::gzip(tar)], Some("bad:1")).tar();
    check("total", small(), &packed(&total), "unpacks to more than 4194304 bytes");
    check(
        "tail",
        small(),
        &packed(&[t().end(), noise.repeat(5)].concat()),
        "unpacks to more than 4194304 bytes",
    );
    let large = Archive::saved(&[Layer::plain(total)], &json!(["bad:1"])).tar();
    check("member", small(), &large, "layer.tar`: the file has more than 4194304 bytes");
    let zeros = (0..3).fold(t(), |tar, i| tar.file(&format!("f{i}"), &vec![0; 1 << 20])).end();
    let bomb = Archive::layout(&[Layer::gzip(&zeros)], Some("bad:1")).tar();
    check("ratio", small(), &bomb, "more than 100 times its compressed size");
    let bomb = Archive::layout(&[Layer::zstd(&zeros)], Some("bad:1")).tar();
    check("zstd ratio", small(), &bomb, "more than 100 times its compressed size");
    let many = (0..41).fold(t(), |tar, i| tar.file(&format!("f{i}"), b"")).end();
    layer("entries", many, "more than 40 entries");
    let implied =
        (0..4).fold(t(), |tar, i| tar.file(&format!("{i}/b/c/d/e/f/g/h/i/j/k/l"), b"")).end();
    layer("implied directories", implied, "more than 40 entries");
    let headers = (0..41).fold(t(), |tar, _| tar.pax(&[("comment", "")])).file("a", b"").end();
    layer("headers", headers, "more than 40 entries");
    layer("depth", t().dir(&"a/".repeat(17)).end(), "more than 16 components");
    let long = format!("{}x\0", "a/".repeat(2100));
    layer(
        "gnu path length",
        t().long_name(long.as_bytes()).file("x", b"").end(),
        "longer than 4095 bytes",
    );
    let long = "a/./".repeat(1100);
    layer(
        "pax path length",
        t().pax(&[("path", &long)]).file("x", b"").end(),
        "longer than 4095 bytes",
    );
    let long = "n".repeat(256);
    layer(
        "component",
        t().pax(&[("path", &long)]).file("x", b"").end(),
        "component is longer than 255",
    );
    let long = "n".repeat(4096);
    layer(
        "link target",
        t().pax(&[("linkpath", &long)]).symlink("x", "y").end(),
        "longer than 4095 bytes",
    );
    let wide = Tar::header(b"pax", EntryType::XHeader, 2 << 20);
    layer(
        "extended header",
        t().raw(wide, &vec![b'a'; 2 << 20]).file("x", b"").end(),
        "more than 1048576 bytes",
    );
}

#[test]
fn broken_streams_are_refused() {
    let t = Tar::default;
    let tar = t().file("a", &[7; 3000]).end();
    layer("cut in data", tar[..1500].to_vec(), "ends too early");
    layer("cut in header", tar[..300].to_vec(), "malformed");
    layer("dangling name", t().long_name(b"n\0").end(), "ends too early");
    layer("dangling header", t().pax(&[("path", "n")]).end(), "ends too early");
    let mut checksum = tar.clone();
    checksum[0] ^= 1;
    layer("checksum", checksum, "checksum");
    layer(
        "bad pax",
        t().raw(Tar::header(b"p", EntryType::XHeader, 4), b"9 a\n").file("x", b"").end(),
        "malformed",
    );
    let packed = gzip(&tar);
    for (case, suffix, bytes) in [
        ("cut gzip", "+gzip", packed[..packed.len() - 9].to_vec()),
        ("cut zstd", "+zstd", zstd::encode_all(&*tar, 3).unwrap()[..60].to_vec()),
        ("not gzip", "+gzip", tar.clone()),
        ("not zstd", "+zstd", tar.clone()),
        ("not tar", "", packed.clone()),
    ] {
        let archive =
            Archive::layout(&[Layer(bytes, suffix, Digest::of(&tar))], Some("bad:1")).tar();
        check(case, small(), &archive, "image refused: `blobs/sha256/");
    }
}

fn layout() -> Archive {
    Archive::layout(&[Layer::gzip(&Tar::default().file("a", b"1").end())], Some("bad:1"))
}

/// Replaces the value at `at` in one of an image's documents and checks the message.
fn document(which: &str, at: &str, value: &Value, message: &str) {
    let tar = Tar::default().file("a", b"1").end();
    let mut archive = Archive::default();
    let spoil = |name: &str, document: &mut Value| {
        if name == which {
            let (parent, key) = at.rsplit_once('/').unwrap();
            let parent = document.pointer_mut(parent).unwrap();
            match parent.as_array_mut() {
                Some(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
                None => parent[key] = value.clone(),
            }
        }
    };
    let mut image = config(&[&Digest::of(&tar)]);
    spoil("config", &mut image);
    let described = archive.json(CONFIG, &image);
    let layer = archive.blob(LAYER, &tar);
    let mut manifest = json!({"schemaVersion": 2, "config": described, "layers": [layer]});
    spoil("manifest", &mut manifest);
    let mut entry = archive.json(MANIFEST, &manifest);
    spoil("entry", &mut entry);
    let case = format!("{which} {at}");
    check(&case, small(), &archive.index(json!([entry]), Some("bad:1")).tar(), message);
}

#[test]
fn documents_that_do_not_fit_are_refused() {
    let wrong = json!(format!("sha256:{}", "0".repeat(64)));
    document("manifest", "/layers/0/size", &json!(9), "but 9 were declared");
    document("manifest", "/layers/0/digest", &wrong, "missing from the archive");
    document("manifest", "/layers/0/digest", &json!("sha256:../../x"), "is not a digest");
    document("manifest", "/layers/0/digest", &json!("sha512:00"), "is not a digest");
    document("manifest", "/layers/0/mediaType", &json!("a/b"), "media type `a/b` is not supported");
    document("manifest", "/layers", &json!([]), "0 layers");
    document("manifest", "/config/size", &json!(9), "but 9 were declared");
    document("manifest", "/config/digest", &wrong, "missing from the archive");
    document("manifest", "/config/mediaType", &json!("a/helm"), "media type `a/helm`");
    document("manifest", "/schemaVersion", &json!(1), "schemaVersion is not 2");
    document("manifest", "/mediaType", &json!("a/b"), "media type `a/b`");
    document("entry", "/size", &json!(1), "but 1 were declared");
    document("entry", "/digest", &wrong, "missing from the archive");
    document("entry", "/mediaType", &json!("x/y"), "media type `x/y`");
    let mips = json!({"os": "plan9", "architecture": "mips"});
    document("entry", "/platform", &mips, "it is for plan9/mips");
    document("config", "/architecture", &json!("mips"), "it is for linux/mips");
    document("config", "/rootfs/diff_ids/0", &wrong, "uncompressed: the digest is");
    document("config", "/rootfs/diff_ids", &json!([]), "1 layers but 0 diff ids");
    document("config", "/config/Env", &json!("A=b"), "not the JSON expected");
    document("config", "/pad", &json!("x".repeat(20000)), "more than 16384 bytes");
}

#[test]
fn blobs_that_are_not_what_they_are_called_are_refused() {
    for name in layout().0.into_keys().filter(|name| name.starts_with("blobs/")) {
        let mut archive = layout();
        archive.0.get_mut(&name).unwrap()[20] ^= 1;
        check("flipped", small(), &archive.tar(), &format!("`{name}`: the digest is"));
        archive.0.get_mut(&name).unwrap().pop();
        check("shortened", small(), &archive.tar(), &format!("`{name}`: the size is"));
        archive.0.remove(&name);
        check("removed", small(), &archive.tar(), &format!("`{name}`: it is missing"));
    }
    let mut saved = Archive::saved(&[Layer::plain(Tar::default().end())], &json!(["bad:1"]));
    let config =
        saved.0.keys().find(|name| name.ends_with(".json") && name.len() > 60).unwrap().clone();
    saved.0.get_mut(&config).unwrap().push(b' ');
    check("saved config", small(), &saved.tar(), "the digest is");
}

#[test]
fn archives_with_two_meanings_are_refused() {
    let members = layout().0;
    let twice = members
        .iter()
        .chain(&members)
        .fold(Tar::default(), |tar, (name, data)| tar.file(name, data));
    check("member twice", small(), &twice.end(), "it occurs more than once");
    let disguised = members.iter().fold(Tar::default(), |tar, (name, data)| tar.file(name, data));
    check(
        "member disguised",
        small(),
        &disguised.file("./index.json", b"{}").end(),
        "`./index.json`: it occurs more than once",
    );

    let mut archive = Archive::default();
    let layer = [Layer::plain(Tar::default().file("a", b"").end())];
    let mut one = archive.manifest(&config(&[&layer[0].2]), &layer);
    let mut other =
        archive.manifest(&json!({"os": "linux", "architecture": "none", "rootfs": {}}), &layer);
    for entry in [&mut one, &mut other] {
        entry["platform"] = json!({"os": "linux", "architecture": "amd64"});
    }
    let nested = archive.json(INDEX, &json!({"schemaVersion": 2, "manifests": [one, other]}));
    check(
        "platform twice",
        small(),
        &archive.index(json!([nested]), Some("bad:1")).tar(),
        "linux/amd64`: it occurs more than once",
    );

    let mut archive = layout();
    archive.0.insert(
        "index.json".into(),
        br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#.to_vec(),
    );
    check("key twice", small(), &archive.tar(), "duplicate field");
}

#[test]
fn archive_files_that_are_none_are_refused() {
    let file = |name: &str, data: &[u8]| Tar::default().file(name, data).end();
    check("empty", small(), b"", "`oci-layout`: it is missing");
    check("text", small(), &[b'x'; 600], "malformed");
    check("gzip", small(), &gzip(&layout().tar()), "decompress it first");
    check(
        "escape",
        small(),
        &file("../oci-layout", b"{}"),
        "`../oci-layout`: the path contains `..`",
    );
    check("device", small(), &Tar::default().kind("a", EntryType::Block).end(), "device node");
    let whole = layout().tar();
    check("cut", small(), &whole[..whole.len() / 2], "image refused");
    let mut deep = layout();
    deep.0.insert("index.json".into(), "[".repeat(9000).into_bytes());
    check("deep", small(), &deep.tar(), "not the JSON expected");
    deep.0.insert("index.json".into(), vec![b' '; 20000]);
    check("long", small(), &deep.tar(), "more than 16384 bytes");
    deep.0.insert("index.json".into(), br#"{"schemaVersion":2,"manifests":[]}"#.to_vec());
    check("none", small(), &deep.tar(), "`index.json`: it is missing");
    let fewer = Limits { archive_entries: 3, ..small() };
    check("members", fewer, &layout().tar(), "more than 3 entries");
    let mut endless = Archive::default();
    let mut inner = endless.json(INDEX, &json!({"schemaVersion": 2, "manifests": []}));
    for _ in 0..5 {
        inner = endless.json(INDEX, &json!({"schemaVersion": 2, "manifests": [inner]}));
    }
    check(
        "nesting",
        small(),
        &endless.index(json!([inner]), Some("bad:1")).tar(),
        "is not supported",
    );
    let layers: Vec<_> =
        (0..5u8).map(|i| Layer::plain(Tar::default().file("a", &[i]).end())).collect();
    check(
        "layers",
        small(),
        &Archive::layout(&layers, Some("bad:1")).tar(),
        "5 layers, allowed are 1 to 4",
    );
}

#[test]
fn a_link_out_of_a_layout_directory_is_refused() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    for (name, data) in layout().0 {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
    let index = directory.path().join("index.json");
    std::fs::remove_file(&index).unwrap();
    std::os::unix::fs::symlink(world.root.path().join("canary"), &index).unwrap();
    let before = world.listing();
    let error = world.store.import(directory.path(), None, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("through a symbolic link"), "{error}");
    assert_eq!(world.listing(), before);
}
