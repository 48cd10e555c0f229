//! The service: one thread for each connection, up to a limit.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::http::{self, Answer, Request};
use crate::prices::{self, Revision};

/// Connections answered at the same time; more are told to come again.
const CONNECTIONS: usize = 256;
const WAIT: Duration = Duration::from_secs(5);

/// Answers until SIGTERM or SIGINT, and for `drain` after it: a load balancer that has not noticed yet still
/// sends requests. A second signal ends it at once.
pub(crate) fn serve(port: u16, revision: Revision, drain: Duration) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| format!("cannot handle signals: {error}"))?;
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen: {error}"))?;
    log(
        &serde_json::json!({"event": "listening", "address": address.to_string(), "revision": revision.0}),
    );
    let draining = Arc::new(AtomicBool::new(false));
    let busy = Arc::new(AtomicUsize::new(0));
    {
        let (draining, busy) = (Arc::clone(&draining), Arc::clone(&busy));
        std::thread::spawn(move || accept(&listener, revision, &draining, &busy));
    }
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    let signal = receiver.recv().map_err(|_| "the signal handler ended".to_owned())?;
    draining.store(true, Ordering::Relaxed);
    log(&serde_json::json!({"event": "draining", "signal": signal, "seconds": drain.as_secs()}));
    // Either the time is over or a second signal came.
    let second = receiver.recv_timeout(drain).ok();
    log(
        &serde_json::json!({"event": "stopped", "second_signal": second, "open_connections": busy.load(Ordering::Relaxed)}),
    );
    Ok(())
}

fn accept(
    listener: &TcpListener,
    revision: Revision,
    draining: &Arc<AtomicBool>,
    busy: &Arc<AtomicUsize>,
) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            continue;
        };
        if busy.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            // The client is gone or slow: either way it is not waited for.
            drop(http::limit(&stream, Duration::from_millis(50)));
            drop(http::send(&mut stream, &text(503, "busy")));
            busy.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (draining, worker_busy) = (draining.load(Ordering::Relaxed), Arc::clone(busy));
        let worker = move || {
            connection(stream, revision, draining);
            worker_busy.fetch_sub(1, Ordering::Relaxed);
        };
        // Out of threads, which a container's limits allow: the connection is closed, the service goes on.
        if std::thread::Builder::new().spawn(worker).is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn connection(mut stream: TcpStream, revision: Revision, draining: bool) {
    if http::limit(&stream, WAIT).is_err() {
        return;
    }
    let peer = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    let request = http::read_request(&mut stream);
    let answer = match &request {
        Ok(request) => answer(request, revision),
        Err(status) => text(*status, "not a request"),
    };
    let sent = http::send(&mut stream, &answer).is_ok();
    http::discard(&mut stream);
    let (method, path) =
        request.map_or_else(|_| (String::new(), String::new()), |r| (r.method, r.path));
    log(&serde_json::json!({"event": "request", "peer": peer, "method": method, "path": path,
        "status": answer.status, "sent": sent, "draining": draining, "revision": revision.0}));
}

fn answer(request: &Request, revision: Revision) -> Answer {
    if request.method != "GET" {
        return text(405, "only GET");
    }
    if request.path == "/health" {
        return text(200, "ok");
    }
    let quote =
        request.path.strip_prefix("/quote/").and_then(|symbol| prices::quote(symbol, revision));
    match quote {
        Some(quote) => {
            Answer { status: 200, content_type: "application/json", body: quote.to_json() + "\n" }
        }
        None => text(404, "not found"),
    }
}

fn text(status: u16, body: &str) -> Answer {
    Answer { status, content_type: "text/plain", body: format!("{body}\n") }
}

/// One line of JSON on standard output. A log that cannot be written must not stop the service.
fn log(line: &serde_json::Value) {
    let line = format!("{line}\n");
    drop(std::io::stdout().lock().write_all(line.as_bytes()));
}
