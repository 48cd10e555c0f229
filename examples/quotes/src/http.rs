//! As much of HTTP/1.1 as a service of two short answers needs: one request for each connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes of a request's head. A body is never read.
const HEAD_BYTES: usize = 8 * 1024;
/// Reads of one request; a client that sends byte by byte is cut off.
const READS: usize = 64;
/// Wait for each read and write.
const WAIT: Duration = Duration::from_secs(5);

/// The first line of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// Sets the time-outs of a connection.
pub(crate) fn limit(stream: &TcpStream, wait: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))
}

/// Reads a request's head; the status to answer when it is not one.
pub(crate) fn read_request(stream: &mut TcpStream) -> Result<Request, u16> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    for _ in 0..READS {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(400),
            Ok(count) => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(408),
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return parse(&head);
        }
        if head.len() > HEAD_BYTES {
            return Err(431);
        }
    }
    Err(408)
}

fn parse(head: &[u8]) -> Result<Request, u16> {
    let line = head
        .split(|byte| *byte == b'\r')
        .next()
        .and_then(|line| std::str::from_utf8(line).ok())
        .ok_or(400u16)?;
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None)
            if path.starts_with('/') =>
        {
            Ok(Request { method: method.to_owned(), path: path.to_owned() })
        }
        _ => Err(400),
    }
}

/// Sends an answer and ends the connection's sending side.
pub(crate) fn send(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let Answer { status, content_type, body } = answer;
    let reason = match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Bad Request",
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// Reads what the client still sends, within limits: closing a connection with unread bytes resets it, and the
/// client may lose the answer.
pub(crate) fn discard(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    if limit(stream, Duration::from_millis(200)).is_err() {
        return;
    }
    for _ in 0..READS {
        if !matches!(stream.read(&mut buffer), Ok(count) if count > 0) {
            return;
        }
    }
}

/// Asks for `path`; fine when the answer is 200.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{address} does not answer: {error}");
    let mut stream = TcpStream::connect_timeout(&address, WAIT).map_err(fail)?;
    limit(&stream, WAIT).map_err(fail)?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
        .map_err(fail)?;
    let mut answer = Vec::new();
    stream
        .take(u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX))
        .read_to_end(&mut answer)
        .map_err(fail)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        let line: String = String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(100)
            .collect();
        Err(format!("{address} answers `{line}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, expected: Result<(&str, &str), u16>) {
        let expected =
            expected.map(|(method, path)| Request { method: method.into(), path: path.into() });
        assert_eq!(parse(head.as_bytes()), expected, "{head}");
    }

    #[test]
    fn request_lines_are_read_strictly() {
        check("GET /health HTTP/1.1\r\n\r\n", Ok(("GET", "/health")));
        check("POST /a HTTP/1.0\r\nHost: b\r\n\r\n", Ok(("POST", "/a")));
        check("GET /health\r\n\r\n", Err(400));
        check("GET  /health HTTP/1.1\r\n\r\n", Err(400));
        check("GET http://a/ HTTP/1.1\r\n\r\n", Err(400));
        check("\r\n\r\n", Err(400));
    }
}
