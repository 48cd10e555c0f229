//! As much of HTTP as a client needs that knows its servers, and signed requests for it.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderValue};
use sigv4::{SecretKey, Signer, sign};

use crate::clock::time_of_day;

/// An AWS API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    name: &'static str,
    target: &'static str,
}

pub(crate) const ECS: Service =
    Service { name: "ecs", target: "AmazonEC2ContainerServiceV20141113" };
pub(crate) const LOGS: Service = Service { name: "logs", target: "Logs_20140328" };

/// A server and how to sign for it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) access_key_id: String,
    pub(crate) secret: SecretKey,
}

impl Endpoint {
    /// A signed request, as it goes over the wire. Valid for five minutes.
    pub(crate) fn request(&self, service: Service, operation: &str, body: &str) -> Result<Vec<u8>> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::try_from(self.address.to_string())?);
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = format!("{}.{operation}", service.target);
        headers.insert("x-amz-target", HeaderValue::try_from(target)?);
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            session_token: None,
            region: "us-east-1",
            service: service.name,
        };
        sign(&signer, ("POST", "/", ""), &mut headers, body.as_bytes(), time_of_day())?;
        let mut text = "POST / HTTP/1.1\r\n".to_owned();
        for (name, value) in &headers {
            text += &format!("{name}: {}\r\n", value.to_str()?);
        }
        text += &format!("content-length: {}\r\n\r\n{body}", body.len());
        Ok(text.into_bytes())
    }
}

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head.
    pub(crate) length: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
    /// Whether the server closes the connection after it.
    pub(crate) close: bool,
}

impl Head {
    /// The head at the beginning of `bytes`; `None` when more bytes are needed.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = Self {
            status: status.with_context(|| format!("`{first}` is no answer"))?,
            length: end + END.len(),
            body: 0,
            close: first.starts_with("HTTP/1.0"),
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                head.body = value.trim().parse().context("content-length")?;
            } else if name.eq_ignore_ascii_case("connection") {
                head.close = value.trim().eq_ignore_ascii_case("close");
            }
        }
        Ok(Some(head))
    }

    /// Bytes of the whole answer.
    pub(crate) const fn total(self) -> usize {
        self.length.saturating_add(self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_complete() {
        let head = |text: &str| Head::read(text.as_bytes()).unwrap();
        let (status, length, body) = (200, 38, 3);
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n";
        assert_eq!(head(answer), Some(Head { status, length, body, close: false }));
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"), None);
        let closing = head("HTTP/1.1 404 Not Found\r\nconnection: Close\r\n\r\n");
        assert_eq!(closing.map(|head| (head.status, head.close)), Some((404, true)));
        assert!(Head::read(b"SSH-2.0\r\n\r\n").is_err());
    }
}
