//! Archives with single bits flipped: refused or imported, never a crash, never anything left behind.

use images::ImageError;
use serde_json::json;

use crate::archive::{Archive, Layer, Tar, World};

#[test]
fn flipped_bits_never_crash_and_never_leave_anything() {
    let layer = Tar::default()
        .dir("d")
        .file("d/f", b"content")
        .symlink("s", "d")
        .hard_link("h", "d/f")
        .pax(&[("path", "d/p"), ("uid", "5")])
        .file("x", b"pax")
        .long_name(b"d/g\0")
        .file("y", b"gnu")
        .file("d/.wh.w", b"")
        .end();
    let whole = [
        Archive::saved(&[Layer::plain(layer.clone())], &json!(["a:1"])).tar(),
        Archive::saved(&[Layer::gzip(&layer)], &json!(["a:1"])).tar(),
        Archive::saved(&[Layer::zstd(&layer)], &json!(["a:1"])).tar(),
        Archive::layout(&[Layer::gzip(&layer)], Some("a:1")).tar(),
    ];
    let mut refused = 0;
    for archive in whole {
        let world = World::new();
        let empty = world.listing();
        // Zero bytes are padding nearly everywhere: every eighth of them is enough.
        let places = (0..archive.len()).filter(|place| archive[*place] != 0 || place % 64 == 0);
        for place in places.step_by(5) {
            let mut flipped = archive.clone();
            flipped[place] ^= 1 << (place % 8);
            match world.import(&flipped, None) {
                Ok(imported) => {
                    for image in imported {
                        assert!(world.store.remove(&image.reference).unwrap(), "byte {place}");
                    }
                    world.store.prune(&std::collections::BTreeSet::new()).unwrap();
                }
                Err(ImageError::Helper { reason }) => panic!("byte {place}: the helper: {reason}"),
                Err(_) => refused += 1,
            }
            assert_eq!(world.listing(), empty, "byte {place} left something behind");
        }
    }
    assert!(refused > 100, "only {refused} were refused");
}
