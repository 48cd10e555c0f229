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

/// A time of an API, in seconds since the Unix epoch, as people write it: `2026-11-20T23:34:28Z`.
pub(crate) fn time(seconds: f64) -> String {
    let moment = jiff::SignedDuration::try_from_secs_f64(seconds.trunc())
        .ok()
        .and_then(|since| jiff::Timestamp::from_duration(since).ok());
    moment.map_or_else(|| "?".to_owned(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(time(1_732_060_800.75), "2024-11-20T00:00:00Z");
        assert_eq!(time(f64::INFINITY), "?");
    }
}
