//! Where the programs and clients are that a test drives.

use std::fs;
use std::path::{Path, PathBuf};

/// Programs and clients.
#[derive(Debug, Clone)]
pub struct Installation {
    /// `portcullis`; `portcullis-shim` is beside it.
    pub portcullis: PathBuf,
    /// The virtual environment with the AWS CLI and boto3.
    pub clients: PathBuf,
    /// The example service's image, named `quotes:1`.
    pub quotes_image: PathBuf,
}

impl Installation {
    /// The one that `cargo xtask test` made, beside this test program.
    ///
    /// # Panics
    /// When something is missing, or this is not root.
    pub fn find() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "end-to-end tests run real containers: run them as root"
        );
        // target/debug/deps/suite-….
        let program = std::env::current_exe().expect("the path of this program");
        let debug = program.ancestors().nth(2).expect("a directory above deps");
        let target = debug.parent().expect("a directory above the profile's");
        let installation = Self {
            portcullis: debug.join("portcullis"),
            clients: target.join("clients"),
            quotes_image: target.join("quotes.tar"),
        };
        for file in [
            installation.portcullis.clone(),
            debug.join("portcullis-shim"),
            installation.clients.join("bin/aws"),
            installation.quotes_image.clone(),
        ] {
            require(&file);
        }
        installation
    }
}

fn require(file: &Path) {
    if let Err(error) = fs::metadata(file) {
        panic!("`{}`: {error}: run the tests with `cargo xtask test`", file.display());
    }
}
