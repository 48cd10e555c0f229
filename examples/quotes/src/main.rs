//! The example service: price quotes over HTTP, and a batch job.
//!
//! ```text
//! quotes serve     answers GET /quote/SYMBOL and GET /health on port 8080
//! quotes batch     prints the quotes of all symbols and ends
//! quotes health    asks the service in this container; exit status 0 when it is well
//! ```
//!
//! Environment: `PRICE_REVISION` (default 0) changes all prices, `DRAIN_SECONDS` (default 3, at most 120) is how long
//! the service goes on answering after SIGTERM, `PORT` (default 8080) is where it listens.

mod http;
mod prices;
mod serve;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use prices::{Quote, Revision};

/// What the environment says.
struct Settings {
    port: u16,
    revision: Revision,
    drain: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).take(2).collect();
    let result = settings().and_then(|settings| {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["serve"] => serve::serve(settings.port, settings.revision, settings.drain),
            ["batch"] => batch(settings.revision),
            ["health"] => {
                http::ask(SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)), "/health")
            }
            _ => Err("usage: quotes serve | batch | health".to_owned()),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nothing is left to try when standard error is gone too.
            drop(writeln!(std::io::stderr(), "quotes: {reason}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program of its own reads its own environment")]
fn settings() -> Result<Settings, String> {
    fn number<T: std::str::FromStr>(name: &str, default: T) -> Result<T, String> {
        match std::env::var(name) {
            Err(_) => Ok(default),
            Ok(text) => text.parse().map_err(|_| format!("{name} is `{text}`: expected a number")),
        }
    }
    let drain_seconds = number("DRAIN_SECONDS", 3u64)?.min(120);
    Ok(Settings {
        port: number("PORT", 8080)?,
        revision: Revision(number("PRICE_REVISION", 0)?),
        drain: Duration::from_secs(drain_seconds),
    })
}

/// Prints one line for each symbol.
fn batch(revision: Revision) -> Result<(), String> {
    let mut table = String::new();
    for symbol in prices::symbols() {
        if let Some(Quote { price_cents, currency, .. }) = prices::quote(symbol, revision) {
            let (whole, cents) = (price_cents / 100, price_cents % 100);
            table += &format!("{symbol:<6} {whole:>6}.{cents:02} {currency}\n");
        }
    }
    table += &format!("{} quotes of revision {}\n", prices::symbols().count(), revision.0);
    std::io::stdout().write_all(table.as_bytes()).map_err(|error| format!("cannot print: {error}"))
}
