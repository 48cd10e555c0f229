//! Which segments there are, for readers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::open::Active;
use crate::segment::Segment;

/// The closed segments by their first line, and the one being written.
#[derive(Debug)]
pub(crate) struct Catalog(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    closed: BTreeMap<u64, Segment>,
    active: Segment,
    /// The sequence number of the last line that was written.
    last: u64,
}

impl Catalog {
    pub(crate) fn new(closed: Vec<Segment>, active: &Active) -> Self {
        Self(Mutex::new(Inner::new(closed, active)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn replace(&self, closed: Vec<Segment>, active: &Active) {
        *self.inner() = Inner::new(closed, active);
    }

    pub(crate) fn grew(&self, active: &Active) {
        let mut inner = self.inner();
        inner.active.span = active.span();
        inner.last = active.chain.last().0;
    }

    pub(crate) fn rolled(&self, old: &Active, new: &Active) {
        let mut inner = self.inner();
        let closed = Segment { span: old.span(), ..old.segment.clone() };
        inner.closed.insert(closed.first, closed);
        inner.active = new.segment.clone();
    }

    pub(crate) fn packed(&self, segment: Segment) {
        let mut inner = self.inner();
        if let Some(closed) = inner.closed.get_mut(&segment.first) {
            *closed = segment;
        }
    }

    pub(crate) fn forget(&self, first: u64) {
        self.inner().closed.remove(&first);
    }

    pub(crate) fn closed(&self) -> Vec<Segment> {
        self.inner().closed.values().cloned().collect()
    }

    /// Every segment, oldest first, and the last line's number.
    pub(crate) fn all(&self) -> (Vec<Segment>, u64) {
        let inner = self.inner();
        let mut all: Vec<Segment> = inner.closed.values().cloned().collect();
        all.push(inner.active.clone());
        (all, inner.last)
    }
}

impl Inner {
    fn new(closed: Vec<Segment>, active: &Active) -> Self {
        let closed = closed.into_iter().map(|segment| (segment.first, segment)).collect();
        let segment = Segment { span: active.span(), ..active.segment.clone() };
        Self { closed, active: segment, last: active.chain.last().0 }
    }
}
