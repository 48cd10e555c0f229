//! The program as its users start it.

use std::process::{Command, Output};

#[expect(clippy::unwrap_used, reason = "a test that cannot start the program has failed")]
fn portcullis(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).env_clear().output().unwrap()
}

/// Runs it and compares its exit code; `expected` must be in what it prints on both outputs.
fn check(arguments: &[&str], code: i32, expected: &[&str]) {
    let output = portcullis(arguments);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    for expected in expected {
        assert!(text.contains(expected), "{arguments:?}: `{expected}` is not in\n{text}");
    }
}

#[test]
fn exit_codes_tell_success_failure_and_usage_apart() {
    check(&["--version"], 0, &["portcullis 0."]);
    check(&["explain", "tsk-004"], 0, &["TSK-004", "Fix:"]);
    check(&["explain", "XYZ-1"], 1, &["error: there is no rule `XYZ-1`", "what to do: use one of"]);
    check(&["up", "--account-id", "12"], 2, &["`12` is not an account id"]);
    check(&["frobnicate"], 2, &["unrecognized subcommand"]);
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        check(&["completion", shell], 0, &["status", "import"]);
    }
}

#[test]
fn status_without_a_server_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    check(
        &["status", "--state-dir", path],
        1,
        &["error: cannot use", "client.env", "caused by: No such file", "what to do: give"],
    );
}

#[test]
fn a_missing_shim_is_reported_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let state = state.to_str().unwrap();
    check(
        &["up", "--state-dir", state, "--shim", "/nowhere/portcullis-shim"],
        1,
        &["error: this machine cannot run tasks", "`/nowhere/portcullis-shim`", "with --shim"],
    );
    assert!(std::fs::metadata(state).is_err(), "nothing is made before the checks");
}

#[test]
fn half_a_root_key_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("up").env_clear().env("PORTCULLIS_ROOT_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLEXX");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("`PORTCULLIS_ROOT_SECRET_ACCESS_KEY` is not"), "{text}");
}

#[test]
fn a_file_that_is_no_image_is_refused_and_an_empty_store_lists_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("image.tar");
    std::fs::write(&file, b"not an image").unwrap();
    let (path, file) = (directory.path().to_str().unwrap(), file.to_str().unwrap());
    check(
        &["image", "import", file, "--state-dir", path],
        1,
        &["error: cannot import", "caused by: image refused", "nothing of it was kept"],
    );
    check(&["image", "list", "--state-dir", path], 0, &["IMAGE"]);
    check(&["image", "remove", "x", "--state-dir", path], 1, &["there is no image `x`"]);
}
