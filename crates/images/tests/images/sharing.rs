//! Names, removal, crashes and several processes on one store.

use std::collections::BTreeSet;

use images::{ImageError, ImageStore};
use serde_json::json;

use crate::archive::{Archive, Layer, Tar, World, helper};

fn image(content: &[u8], tag: &str) -> Vec<u8> {
    let shared = Layer::gzip(&Tar::default().file("shared", b"base").end());
    let own = Layer::gzip(&Tar::default().file("own", content).end());
    Archive::layout(&[shared, own], Some(tag)).tar()
}

fn names(store: &ImageStore) -> Vec<String> {
    store.list().unwrap().into_iter().map(|stored| stored.reference).collect()
}

#[test]
fn a_moved_tag_leaves_the_old_image_pinned_until_it_is_pruned() {
    let world = World::new();
    let store = &world.store;
    let old = world.import(&image(b"1", "quotes:1"), None).unwrap().remove(0).manifest_digest;
    world.import(&image(b"2", "quotes:1"), None).unwrap();
    let pinned = format!("quotes@{old}");
    assert_eq!(names(store), ["quotes:1".to_owned(), pinned.clone()]);
    assert_eq!(store.resolve(&pinned).unwrap().unwrap().manifest_digest, old);
    let kept = store.prune(&BTreeSet::from([old])).unwrap();
    assert_eq!((kept.blobs, kept.layers), (0, 0), "a running task uses it");
    let swept = store.prune(&BTreeSet::new()).unwrap();
    assert_eq!((swept.blobs, swept.layers), (2, 1), "the shared layer stays");
    assert_eq!(names(store), ["quotes:1"]);
    assert_eq!(store.resolve(&pinned).unwrap(), None);
    assert!(store.resolve("quotes:1").unwrap().is_some());
}

#[test]
fn removing_the_last_tag_removes_the_image() {
    let world = World::new();
    let empty = world.listing();
    let digest = world.import(&image(b"1", "a:1"), None).unwrap().remove(0).manifest_digest;
    world.import(&image(b"1", "a:2"), None).unwrap();
    assert!(world.store.remove("a:1").unwrap());
    assert!(!world.store.remove("a:1").unwrap());
    assert!(world.store.resolve(&format!("a@{digest}")).unwrap().is_some());
    assert!(world.store.remove(&format!("a@{digest}")).unwrap(), "takes a:2 with it");
    assert_eq!(names(&world.store), Vec::<String>::new());
    world.store.prune(&BTreeSet::new()).unwrap();
    assert_eq!(world.listing(), empty);
}

#[test]
fn an_image_without_a_name_needs_one() {
    let world = World::new();
    let unnamed = Archive::layout(&[Layer::plain(Tar::default().file("a", b"").end())], None).tar();
    assert!(matches!(world.import(&unnamed, None), Err(ImageError::Name { .. })));
    assert!(matches!(world.import(&unnamed, Some("UPPER")), Err(ImageError::Reference { .. })));
    assert_eq!(world.import(&unnamed, Some("a")).unwrap()[0].reference, "a:latest");
    let saved =
        Archive::saved(&[Layer::plain(Tar::default().file("a", b"").end())], &json!(null)).tar();
    assert!(matches!(world.import(&saved, None), Err(ImageError::Name { .. })));
    assert_eq!(world.import(&saved, Some("b:2")).unwrap()[0].reference, "b:2");
}

#[test]
fn what_a_crash_left_is_removed_by_the_next_open_unless_an_import_runs() {
    let world = World::new();
    let directory = world.root.path().join("images");
    let clean = world.listing();
    let leave = || {
        std::fs::create_dir_all(directory.join("tmp/import-x/layers/y/dir")).unwrap();
        std::fs::write(directory.join("tmp/file"), b"").unwrap();
    };
    leave();
    let importing = std::fs::File::open(directory.join("importers")).unwrap();
    rustix::fs::flock(&importing, rustix::fs::FlockOperation::LockShared).unwrap();
    ImageStore::open(&directory, helper()).unwrap();
    assert!(directory.join("tmp/import-x").is_dir(), "belongs to the import that runs");
    assert!(matches!(world.store.prune(&BTreeSet::new()), Err(ImageError::Busy)));
    drop(importing);
    ImageStore::open(&directory, helper()).unwrap();
    assert_eq!(world.listing(), clean);
}

#[test]
fn changed_files_are_noticed() {
    let world = World::new();
    let digest = world.import(&image(b"1", "a:1"), None).unwrap().remove(0).manifest_digest;
    let directory = world.root.path().join("images");
    let layer = world.store.resolve("a:1").unwrap().unwrap().layers.remove(0);
    std::fs::rename(&layer, directory.join("gone")).unwrap();
    let error = world.store.resolve("a:1").unwrap_err().to_string();
    assert!(error.contains("the layer is missing"), "{error}");
    std::fs::write(directory.join("blobs/sha256").join(digest.hex()), b"{}").unwrap();
    let error = world.store.resolve("a:1").unwrap_err().to_string();
    assert!(error.contains("its bytes have changed"), "{error}");
}

#[test]
fn imports_side_by_side_share_layers() {
    let world = World::new();
    let directory = world.root.path().join("images");
    std::thread::scope(|scope| {
        for number in 0..4u8 {
            let directory = &directory;
            scope.spawn(move || {
                let store = ImageStore::open(directory, helper()).unwrap();
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(&file, image(&[number], &format!("a:{number}"))).unwrap();
                store.import(file.path(), None, &mut |_| {}).unwrap();
            });
        }
    });
    assert_eq!(names(&world.store), ["a:0", "a:1", "a:2", "a:3"]);
    assert_eq!(std::fs::read_dir(directory.join("layers")).unwrap().count(), 5);
    assert_eq!(std::fs::read_dir(directory.join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_helper_that_is_none_is_reported_as_such() {
    let world = World::new();
    let before = world.listing();
    let mut wrong = helper();
    wrong.program = "/bin/true".into();
    let store = ImageStore::open(&world.root.path().join("images"), wrong).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, image(b"1", "a:1")).unwrap();
    let error = store.import(file.path(), None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, ImageError::Helper { .. }), "{error}");
    assert_eq!(world.listing(), before);
}
