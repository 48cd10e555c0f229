//! The input at hand, in a file: what is left to look at when it ends the whole process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Keeps the input at hand in a file, which goes when this is dropped.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
}

impl Recorder {
    /// Keeps it in `directory`, in a file that names the target.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(directory: &Path, target: &str) -> io::Result<Self> {
        let path = directory.join(format!("fuzz-{target}-{}.input", std::process::id()));
        Ok(Self { file: File::create(&path)?, path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn record(&self, input: &[u8]) {
        let length = u64::try_from(input.len()).unwrap_or(u64::MAX);
        // Without it only an input that ends the process is lost.
        drop(self.file.write_all_at(input, 0).and_then(|()| self.file.set_len(length)));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
