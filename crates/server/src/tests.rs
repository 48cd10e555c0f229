use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base::{Scope, SeededIds};
use images::UnpackHelper;

use super::*;

fn config(state_directory: &Path) -> ServerConfig {
    ServerConfig {
        state_directory: state_directory.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        node_listen: None,
        tls_names: Vec::new(),
        scope: Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        },
        guard_mode: guard::Mode::Enforce,
        root_key: None,
        unpack_helper: UnpackHelper { program: "/bin/false".into(), args: Vec::new() },
        node: None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start(config(directory.path())).await.unwrap();
    let error = Server::start(config(directory.path())).await.unwrap_err();
    let StartError::StateDirectory(error @ StateDirectoryError::InUse { .. }) = error else {
        panic!("{error:?}");
    };
    let holder = format!("in use by process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    first.run(async {}).await.unwrap();
}

#[tokio::test]
async fn the_root_key_is_made_once_and_client_env_tells_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = Server::start(config(directory.path())).await.unwrap();
        let read = ClientEnvironment::read(directory.path()).unwrap();
        assert_eq!(read.endpoint, server.endpoint());
        keys.push((read.access_key_id, read.secret.expose().to_owned()));
        server.run(async {}).await.unwrap();
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!((keys[0].0.len(), keys[0].1.len()), (20, 40));
    for name in ["client.env", "root-key.json", "lock"] {
        assert_eq!(mode(&directory.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn an_address_that_others_reach_gets_tls() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&directory.path().join("state"));
    config.listen = "0.0.0.0:0".parse().unwrap();
    let server = Server::start(config).await.unwrap();
    assert!(server.endpoint().starts_with("https://127.0.0.1:"), "{}", server.endpoint());
    let bundle = server.client_environment().ca_bundle.clone().unwrap();
    assert!(fs::read_to_string(bundle).unwrap().contains("BEGIN CERTIFICATE"));
    assert_eq!(mode(&directory.path().join("state")), 0o700);
    server.run(async {}).await.unwrap();
}

fn check_key(id: Option<&str>, secret: Option<&str>, expected: &str) {
    let key = RootKey::from_variables(id.map(Into::into), secret.map(Into::into));
    let found = match key {
        Ok(None) => "none".to_owned(),
        Ok(Some(key)) => key.access_key_id().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_root_key_needs_both_halves_in_their_alphabets() {
    let (id, secret) = ("AKIAEXAMPLEEXAMPLEXX", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    check_key(None, None, "none");
    check_key(Some(id), Some(secret), id);
    check_key(Some(id), None, "`PORTCULLIS_ROOT_SECRET_ACCESS_KEY` is not");
    check_key(None, Some(secret), "`PORTCULLIS_ROOT_ACCESS_KEY_ID` is not");
    check_key(Some("AKIA SHORT"), Some(secret), "access key id must be");
    check_key(Some(id), Some("has a $(shell) in it"), "secret access key must be");
}

#[test]
fn an_error_about_the_key_file_does_not_show_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root-key.json");
    fs::write(&path, r#"{"access_key_id": "AKIAEXAMPLEEXAMPLEXX", "secret_access_key": "shh"}"#)
        .unwrap();
    let error =
        RootKey::keep(directory.path(), &"123456789012".parse().unwrap(), &SeededIds::new(1))
            .unwrap_err();
    assert!(error.to_string().contains("holds no root key"), "{error}");
    assert!(!format!("{error:?}").contains("shh"));
}
