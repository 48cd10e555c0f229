//! Builds the programs and puts them side by side, as they are installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::example_image;
use crate::workspace::{Workspace, run, say};

/// What `cargo xtask build` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As they are released: optimised, and the shim small and static.
    #[arg(long, conflicts_with = "dev")]
    release: bool,
    /// As the tests use them. The default.
    #[arg(long)]
    dev: bool,
}

impl Args {
    fn profile(&self) -> Profile {
        if self.release && !self.dev { Profile::Release } else { Profile::Dev }
    }
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// What was built.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// Holds `portcullis` and `portcullis-shim`.
    pub(crate) programs: PathBuf,
    /// The image of the example service, named `quotes:1`.
    pub(crate) quotes_image: PathBuf,
}

/// Builds, and says where things are.
pub(crate) fn run_all(workspace: &Workspace, args: &Args) -> Result<()> {
    let built = build(workspace, args.profile())?;
    say(&format!("programs: {}", built.programs.display()));
    say(&format!("example image: {}", built.quotes_image.display()));
    Ok(())
}

/// Builds programs and the example's image.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<Built> {
    let programs = match profile {
        Profile::Dev => {
            // With the tests: their features are what the tests run with, and nothing is built twice.
            run(workspace.cargo().args(["build", "--locked", "--workspace", "--bins", "--tests"]))?;
            workspace.target.join("debug")
        }
        Profile::Release => {
            run(workspace.cargo().args([
                "build",
                "--locked",
                "--release",
                "--package=portcullis",
            ]))?;
            let shim = static_program(workspace, "portcullis-shim")?;
            let directory = workspace.target.join("portcullis");
            fs::create_dir_all(&directory)?;
            place(&workspace.target.join("release/portcullis"), &directory)?;
            place(&shim, &directory)?;
            directory
        }
    };
    let quotes_image = workspace.target.join("quotes.tar");
    example_image::build(&static_program(workspace, "quotes")?, &quotes_image, "quotes:1")?;
    Ok(Built { programs, quotes_image })
}

/// Builds a small static program in the profile `shim`; returns its path.
pub(crate) fn static_program(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // A directory of its own: other flags would make cargo rebuild everything it shares one with.
    let directory = workspace.target.join("static");
    let mut cargo = workspace.cargo();
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("LIBSECCOMP_LINK_TYPE", "static")
        .env("LIBSECCOMP_LIB_PATH", libseccomp_directory()?)
        .args(["build", "--locked", "--profile=shim", "--package", package, "--target", &host])
        .arg("--target-dir")
        .arg(&directory);
    run(&mut cargo)?;
    Ok(directory.join(host).join("shim").join(package))
}

/// Where `libseccomp.a` is.
fn libseccomp_directory() -> Result<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    for directory in [multiarch.as_str(), "/usr/lib64", "/usr/lib"] {
        if fs::metadata(Path::new(directory).join("libseccomp.a")).is_ok() {
            return Ok(PathBuf::from(directory));
        }
    }
    bail!("cannot find libseccomp.a: run `cargo xtask setup`, or install libseccomp-dev")
}

/// Copies a program into a directory; a running one is replaced, not written into.
fn place(program: &Path, directory: &Path) -> Result<()> {
    let name = program.file_name().context("a program has a name")?;
    let staged = directory.join(format!(".{}", name.to_string_lossy()));
    fs::copy(program, &staged).with_context(|| format!("cannot copy {}", program.display()))?;
    fs::rename(&staged, directory.join(name))
        .with_context(|| format!("cannot place {}", program.display()))
}
