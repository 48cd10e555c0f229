//! Writing to standard output.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Prints `text` as it is. A reader that has gone away is no failure: `portcullis … | head`.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::caused("cannot write to standard output", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
