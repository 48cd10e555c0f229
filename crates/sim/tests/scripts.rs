//! Every script of `tests/scripts` says what its golden says. `UPDATE_GOLDENS=1` writes the goldens.

#![cfg(test)]

use std::path::{Path, PathBuf};

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    scripts.sort();
    scripts
}

#[test]
fn scripts_say_what_their_goldens_say() {
    #[expect(clippy::disallowed_methods, reason = "how goldens are updated everywhere here")]
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let scripts = scripts();
    assert!(scripts.len() >= 30, "only {} scripts", scripts.len());
    let mut different = Vec::new();
    for script in scripts {
        let said = sim::script::run(&std::fs::read_to_string(&script).unwrap()).unwrap();
        let golden = script.with_extension("golden");
        if update {
            std::fs::write(&golden, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            let line = said.lines().zip(expected.lines()).position(|(one, other)| one != other);
            different.push(format!("{} at line {line:?}:\n{said}", script.display()));
        }
        if ["BROKEN", "STUCK", "  cannot:"].iter().any(|word| said.contains(word)) {
            different.push(format!("{} does not hold:\n{said}", script.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
