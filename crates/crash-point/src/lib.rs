//! Named places where a test can have the program killed, as by a power cut.
//!
//! ```
//! crash_point::crash_point!("node.task.saved");
//! ```
//!
//! A build for release has none of this: the macro is empty there, which is why neither a feature
//! nor a second build of the programs is needed to test what is shipped but for these calls. In a
//! debug build a place does nothing unless the environment names a directory in [`VARIABLE`] when
//! the program starts. There a test puts a file with the place's name and a number *n*: the process
//! that reaches the place for the *n*th time, counted over all processes, renames the file to
//! `NAME.reached` and kills itself.
//!
//! Programs started by ours get an empty environment; [`inherit`] passes the variable on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The environment variable that names the directory in which tests say where to crash.
pub const VARIABLE: &str = "PORTCULLIS_CRASH_POINTS";

/// The process is killed here if a test wants it. Nothing in a release build.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        if cfg!(debug_assertions) {
            $crate::reached($name);
        }
    };
}

/// What [`crash_point!`] calls in a debug build.
#[doc(hidden)]
pub fn reached(name: &str) {
    if let Some(directory) = directory()
        && is_due(directory, name)
    {
        // A process can always kill itself.
        let _cannot_fail =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Lets a program that `command` starts crash at places of its own. Nothing in a release build.
pub fn inherit(command: &mut Command) {
    if cfg!(debug_assertions)
        && let Some(directory) = directory()
    {
        command.env(VARIABLE, directory);
    }
}

/// Read once: the environment of a running program does not change.
fn directory() -> Option<&'static Path> {
    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "debug builds only, and said in the documentation"
    )]
    let read = || std::env::var_os(VARIABLE).map(PathBuf::from);
    DIRECTORY.get_or_init(read).as_deref()
}

/// Counts down; true at the last.
fn is_due(directory: &Path, name: &str) -> bool {
    let file = directory.join(name);
    let Ok(text) = fs::read_to_string(&file) else { return false };
    match text.trim().parse::<u32>() {
        Ok(1) => fs::rename(&file, directory.join(format!("{name}.reached"))).is_ok(),
        Ok(count) => {
            // A test that cannot write its own directory fails for that.
            drop(fs::write(&file, count.saturating_sub(1).to_string()));
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_time_is_due_once() {
        let directory = tempfile::tempdir().unwrap();
        let due = || is_due(directory.path(), "a.b");
        assert!(!due(), "nobody asked");
        fs::write(directory.path().join("a.b"), "2").unwrap();
        assert_eq!([due(), due(), due()], [false, true, false]);
        assert_eq!(fs::read(directory.path().join("a.b.reached")).unwrap(), b"1");
    }
}
