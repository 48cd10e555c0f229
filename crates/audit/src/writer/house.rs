//! Packs closed segments and removes those whose retention ended.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::Shared;
use crate::chain::{Hash, Mark};
use crate::segment::{Read1, Segment, Span};
use crate::{AuditError, chain::Link};

/// How often the retention is looked at.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the housekeeper is asked for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Pack and prune now.
    Tidy,
    /// End.
    End,
}

/// The housekeeper.
pub(crate) struct House;

impl House {
    pub(crate) fn start(shared: Arc<Shared>, orders: Receiver<Order>) -> std::io::Result<()> {
        let house = std::thread::Builder::new().name("audit housekeeper".to_owned());
        house.spawn(move || {
            loop {
                if let Err(error) = tidy(&shared) {
                    tracing::warn!(reason = error.reason(), "audit segments could not be tidied");
                }
                match orders.recv_timeout(INTERVAL) {
                    Ok(Order::Tidy) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(())
    }
}

/// Packs what is closed, then removes what is too old, oldest first.
pub(crate) fn tidy(shared: &Shared) -> Result<(), AuditError> {
    for segment in shared.catalog.closed() {
        if !segment.is_packed()
            && let Some(span) = span(&segment)?
        {
            shared.catalog.packed(segment.pack(span)?);
        }
    }
    let retention_ms = i64::from(shared.config.retention_days).saturating_mul(DAY_MS);
    let oldest_ms = shared.clock.now().as_epoch_ms().saturating_sub(retention_ms);
    let anchor = Mark::read(&shared.directory, Mark::PRUNED, &shared.key.public)?;
    for segment in shared.catalog.closed() {
        let Some(span) = segment.span else { break };
        let is_pruned = anchor.as_ref().is_some_and(|anchor| span.last <= anchor.sequence);
        if !is_pruned {
            if span.to_ms >= oldest_ms {
                break;
            }
            let now_ms = shared.clock.now().as_epoch_ms();
            let end = (span.last, last_hash(&segment)?);
            // The anchor first: from now on, the segment need not be there.
            let anchor = Mark::new(Mark::PRUNED, end, now_ms, &shared.key);
            anchor.write(&shared.directory, Mark::PRUNED)?;
        }
        shared.catalog.forget(segment.first);
        std::fs::remove_file(&segment.path).map_err(AuditError::io("remove", &segment.path))?;
        tracing::info!(
            first = segment.first,
            last = span.last,
            "audit records were removed: too old"
        );
    }
    Ok(())
}

/// What a closed segment holds, by its lines.
fn span(segment: &Segment) -> Result<Option<Span>, AuditError> {
    if segment.span.is_some() {
        return Ok(segment.span);
    }
    let mut span: Option<Span> = None;
    let mut lines = segment.lines()?;
    while let Read1::Line(line) = lines.next()? {
        let Ok(link) = Link::of(line) else { break };
        let before = span.unwrap_or(Span {
            last: link.sequence,
            from_ms: link.time_ms,
            to_ms: link.time_ms,
        });
        span = Some(Span {
            last: link.sequence,
            from_ms: before.from_ms.min(link.time_ms),
            to_ms: before.to_ms.max(link.time_ms),
        });
    }
    Ok(span)
}

fn last_hash(segment: &Segment) -> Result<Hash, AuditError> {
    let mut hash = Hash::default();
    let mut lines = segment.lines()?;
    while let Read1::Line(line) = lines.next()? {
        hash = Hash::of(line);
    }
    Ok(hash)
}
