//! An API call of a task and its answer, on their way between node and control plane: a line of JSON
//! with the head, and the body as it is. The call is not looked into, only taken apart and put together
//! again: what is signed stays what it was.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::messages::{MAX_CALL_HEAD, MAX_CALL_HEADERS};

/// A call that a task on a node made to an API, as far as its node can be believed: the task is
/// placed there.
#[derive(Debug)]
pub struct TaskCall {
    /// The node's container instance.
    pub container_instance: String,
    /// The task's address on its node. Tasks on other nodes may have the same.
    pub task_address: IpAddr,
    /// What it asked, not authenticated; 10 MiB and 100 headers at most.
    pub request: Request<Bytes>,
}

/// Answers the API calls of tasks on nodes.
pub trait TaskCalls: Send + Sync + fmt::Debug {
    /// The answer; `None` when there is nobody to answer any more.
    fn answer(&self, call: TaskCall) -> BoxFuture<'_, Option<Response<Full<Bytes>>>>;
}

/// What concerns one connection only (RFC 9110, section 7.6.1), and what older programs send so.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes what concerns the connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallHead {
    task_address: IpAddr,
    method: String,
    /// Path and query.
    target: String,
    headers: Headers,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerHead {
    status: u16,
    headers: Headers,
}

/// Names and values; each character of a value stands for the byte of its number.
#[derive(Serialize, Deserialize)]
struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(map: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        Self(map.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
    }

    fn map(&self) -> Option<HeaderMap> {
        if self.0.len() > MAX_CALL_HEADERS {
            return None;
        }
        let mut map = HeaderMap::with_capacity(self.0.len());
        for (name, text) in &self.0 {
            let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
            let value = HeaderValue::from_bytes(&bytes.ok()?).ok()?;
            map.append(HeaderName::try_from(name.as_str()).ok()?, value);
        }
        Some(map)
    }
}

/// What the node sends for a call; `None` for one whose target is no path.
pub(crate) fn encode_call(task_address: IpAddr, request: &Request<Bytes>) -> Option<Bytes> {
    let target = request.uri().path_and_query()?.as_str();
    if !target.starts_with('/') {
        return None;
    }
    let head = CallHead {
        task_address,
        method: request.method().as_str().to_owned(),
        target: target.to_owned(),
        headers: Headers::of(request.headers()),
    };
    join(&head, request.body())
}

/// What [`encode_call`] was given; `None` when the body is not one of its.
pub(crate) fn decode_call(body: &Bytes) -> Option<(IpAddr, Request<Bytes>)> {
    let (head, body): (CallHead, _) = split(body)?;
    let mut request = Request::new(body);
    *request.method_mut() = head.method.parse().ok()?;
    *request.uri_mut() =
        head.target.parse::<Uri>().ok().filter(|_| head.target.starts_with('/'))?;
    *request.headers_mut() = head.headers.map()?;
    Some((head.task_address, request))
}

/// What the control plane sends for an answer.
pub(crate) fn encode_answer(answer: &Response<Bytes>) -> Option<Bytes> {
    let headers = Headers::of(answer.headers());
    join(&AnswerHead { status: answer.status().as_u16(), headers }, answer.body())
}

/// What [`encode_answer`] was given; `None` when the body is not one of its.
pub(crate) fn decode_answer(body: &Bytes) -> Option<Response<Bytes>> {
    let (head, body): (AnswerHead, _) = split(body)?;
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(head.status).ok()?;
    *answer.headers_mut() = head.headers.map()?;
    Some(answer)
}

fn join<Head: Serialize>(head: &Head, body: &[u8]) -> Option<Bytes> {
    let mut bytes = serde_json::to_vec(head).ok().filter(|head| head.len() <= MAX_CALL_HEAD)?;
    bytes.reserve_exact(body.len().saturating_add(1));
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Some(bytes.into())
}

fn split<Head: DeserializeOwned>(bytes: &Bytes) -> Option<(Head, Bytes)> {
    let end = bytes.iter().take(MAX_CALL_HEAD.saturating_add(1)).position(|byte| *byte == b'\n')?;
    let head = serde_json::from_slice(bytes.get(..end)?).ok()?;
    let start = end.checked_add(1)?;
    Some((head, bytes.slice(start..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 213, 0, 2));

    #[test]
    fn a_call_arrives_as_it_was() {
        let target = "/a%2Fb//c/../?x=1&x=%20&y";
        let body = Bytes::from_static(b"one\ntwo\0\xff");
        let mut request = Request::get(target).body(body.clone()).unwrap();
        let headers = request.headers_mut();
        headers.append("host", HeaderValue::from_static("169.254.170.3"));
        headers.append("x-amz-note", HeaderValue::from_static("  two \"quoted\"\\ "));
        headers.append("x-amz-note", HeaderValue::from_bytes(b"\xffbytes\t\xc3\xa9").unwrap());
        let (address, read) = decode_call(&encode_call(ADDRESS, &request).unwrap()).unwrap();
        assert_eq!((address, read.method(), read.body()), (ADDRESS, request.method(), &body));
        assert_eq!(read.uri().to_string(), target);
        assert_eq!(read.headers(), request.headers());

        let mut answer = Response::new(body);
        *answer.status_mut() = StatusCode::FORBIDDEN;
        answer.headers_mut().append("x-amzn-requestid", HeaderValue::from_static("r-1"));
        let read = decode_answer(&encode_answer(&answer).unwrap()).unwrap();
        assert_eq!((read.status(), read.body()), (answer.status(), answer.body()));
        assert_eq!(read.headers(), answer.headers());
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let check = |head: &str| {
            let body = Bytes::from(format!("{head}\nbody"));
            assert!(decode_call(&body).is_none(), "{head}");
        };
        let call = |method: &str, target: &str, headers: &str| {
            format!(
                r#"{{"task_address":"10.0.0.2","method":"{method}","target":"{target}","headers":[{headers}]}}"#
            )
        };
        assert!(decode_call(&call("POST", "/", "").into()).is_none(), "without a line's end");
        assert!(decode_call(&format!("{}\n", call("POST", "/", "")).into()).is_some());
        check(&call("PO ST", "/", ""));
        check(&call("POST", "http://elsewhere/", ""));
        check(&call("POST", "*", ""));
        check(&call("POST", "/ HTTP/1.1", ""));
        check(&call("POST", "/", r#"["a b","c"]"#));
        check(&call("POST", "/", r#"["a","b\r\nc: d"]"#));
        check(&call("POST", "/", r#"["a","\u0142"]"#));
        let many = vec![r#"["a","b"]"#; 101].join(",");
        check(&call("POST", "/", &many));
        let long = format!(r#"["a","{}"]"#, "b".repeat(MAX_CALL_HEAD));
        check(&call("POST", "/", &long));
        for target in ["*", "elsewhere:80"] {
            let request = Request::options(target).body(Bytes::new()).unwrap();
            assert!(encode_call(ADDRESS, &request).is_none(), "{target}");
        }
    }

    #[test]
    fn what_concerns_the_connection_only_stays_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("connection", "other"),
            ("x-private", "1"),
            ("other", "2"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "x"),
            ("host", "169.254.170.3"),
            ("content-length", "5"),
            ("x-amz-date", "20260101T000000Z"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-amz-date"]);
    }
}
