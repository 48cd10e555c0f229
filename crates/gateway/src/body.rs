//! Reads bodies within their limits.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;

/// Bodies up to this length need no permit of their own: in flight, they are few enough.
const SMALL_BYTES: usize = 64 * 1024;

/// What of a refused request's body is read and thrown away, so that a client which writes first
/// and reads later gets its answer.
const DISCARD_BYTES: u64 = 16 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the request body did not arrive within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("the request body ended early")]
    Broken,
}

/// A body, with the permit that a long one needs for as long as it is held.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// The body of a request: still on its way, or at hand.
pub(crate) trait Arriving: HttpBody<Data = Bytes> + Unpin + Send {}

impl<B: HttpBody<Data = Bytes> + Unpin + Send> Arriving for B {}

/// Reads all of `incoming`.
pub(crate) async fn read<B: Arriving>(
    incoming: &mut B,
    limits: &Limits,
    large_bodies: &Arc<Semaphore>,
) -> Result<Body, BodyError> {
    let max = limits.max_body_bytes;
    if incoming.size_hint().lower() > u64::try_from(max).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLong(max));
    }
    if incoming.is_end_stream() {
        return Ok(Body { bytes: Bytes::new(), permit: None });
    }
    tokio::time::timeout(limits.body_timeout, collect(incoming, max, large_bodies))
        .await
        .unwrap_or(Err(BodyError::TooSlow(limits.body_timeout)))
}

async fn collect<B: Arriving>(
    incoming: &mut B,
    max: usize,
    large_bodies: &Arc<Semaphore>,
) -> Result<Body, BodyError> {
    let mut permit = None;
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        if all.is_empty() && first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        let length = all.len().saturating_add(data.len());
        if length > max {
            return Err(BodyError::TooLong(max));
        }
        if length > SMALL_BYTES && permit.is_none() {
            permit = Arc::clone(large_bodies).acquire_owned().await.ok();
        }
        all.extend_from_slice(&data);
    }
    let bytes = if all.is_empty() { first } else { all.freeze() };
    if bytes.len() > max {
        return Err(BodyError::TooLong(max));
    }
    Ok(Body { bytes, permit })
}

/// Reads and forgets what is left of a refused request's body, up to a limit.
pub(crate) async fn discard<B: Arriving>(incoming: &mut B, limits: &Limits) {
    if incoming.is_end_stream() || incoming.size_hint().lower() > DISCARD_BYTES {
        return;
    }
    let drain = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = incoming.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
            if left == 0 {
                break;
            }
        }
    };
    // Late or not, the answer goes out next; hyper closes a connection with an unread body.
    tokio::time::timeout(limits.body_timeout, drain).await.unwrap_or_default();
}
