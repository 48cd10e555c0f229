//! Requests over many connections at once, as fast as they are answered.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::Instant;

use crate::http::{Endpoint, Head};
use crate::process;

/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 64;
/// The longest answer.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How to go through the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each once, then the load ends.
    Once,
    /// From the beginning again.
    Again,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) requests_per_s: f64,
    /// 99 of 100 were answered within this time.
    pub(crate) p99_ms: f64,
    /// What a request cost the server.
    pub(crate) cpu_us: f64,
}

/// Sends signed requests over [`CONNECTIONS`] connections for `duration`, from one thread, and
/// expects status 200.
pub(crate) fn run(
    endpoint: &Endpoint,
    server: u32,
    requests: &[Vec<u8>],
    order: Order,
    duration: Duration,
) -> Result<Load> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Cell::new(0);
    let source = || {
        let index = next.get();
        next.set(index + 1);
        match order {
            Order::Once => requests.get(index),
            Order::Again => requests.get(index.checked_rem(requests.len())?),
        }
    };
    let cpu = process::cpu(server)?;
    let (mut latencies, seconds) = runtime.block_on(async {
        let begin = Instant::now();
        let clients = (0..CONNECTIONS).map(|_| client(endpoint, &source, begin + duration));
        let latencies = try_join_all(clients).await?.concat();
        anyhow::Ok((latencies, begin.elapsed().as_secs_f64()))
    })?;
    let cpu = process::cpu(server)?.saturating_sub(cpu);
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = latencies.len() as f64;
    let p99 = latencies.get(latencies.len() * 99 / 100).context("nothing was answered")?;
    Ok(Load {
        requests_per_s: count / seconds,
        p99_ms: p99.as_secs_f64() * 1000.0,
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
    })
}

/// Sends one request after the other; how long each took.
async fn client<'a>(
    endpoint: &Endpoint,
    source: &impl Fn() -> Option<&'a Vec<u8>>,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut connection = None;
    let mut buffer = vec![0; 16 * 1024];
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let Some(request) = source() else { break };
        let begin = Instant::now();
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => connect(endpoint).await?,
        };
        stream.write_all(request).await?;
        let head = answer(&mut stream, &mut buffer).await?;
        if head.status != 200 {
            let text = buffer.get(..head.total()).unwrap_or_default();
            bail!("refused: {}", String::from_utf8_lossy(text));
        }
        latencies.push(begin.elapsed());
        if !head.close {
            connection = Some(stream);
        }
    }
    Ok(latencies)
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream> {
    let stream = TcpStream::connect(endpoint.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer into the buffer.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Head> {
    let mut length = 0;
    let mut head: Option<Head> = None;
    loop {
        if length == buffer.len() {
            if length >= MAX_ANSWER_BYTES {
                bail!("an answer has more than {MAX_ANSWER_BYTES} bytes");
            }
            buffer.resize(length * 2, 0);
        }
        let read = stream.read(buffer.get_mut(length..).unwrap_or_default()).await?;
        if read == 0 {
            bail!("the server closed the connection in the middle of an answer");
        }
        length += read;
        if head.is_none() {
            head = Head::read(buffer.get(..length).unwrap_or_default())?;
        }
        if let Some(head) = head.filter(|head| length >= head.total()) {
            return Ok(head);
        }
    }
}
