//! Runs futures in an order that the seed decides, on a clock that moves only when told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use base::{Clock as _, ManualClock, Timestamp};
use invariants::Actor;

/// Locks, whatever happened to an earlier holder: all of this is one thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moments at which somebody wants to be woken.
#[derive(Debug)]
pub(crate) struct Timers {
    clock: Arc<ManualClock>,
    queue: Mutex<BTreeMap<(Timestamp, u64), Waker>>,
    next: AtomicU64,
}

impl Timers {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, queue: Mutex::default(), next: AtomicU64::new(0) }
    }

    /// Ready at `at`.
    pub(crate) fn sleep_until(self: &Arc<Self>, at: Timestamp) -> Sleep {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Sleep { timers: Arc::clone(self), key: (at, number) }
    }

    pub(crate) fn sleep_ms(self: &Arc<Self>, milliseconds: i64) -> Sleep {
        self.sleep_until(self.clock.now().plus_ms(milliseconds))
    }

    /// The first moment at which somebody wants to be woken.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        lock(&self.queue).keys().next().map(|(at, _)| *at)
    }

    /// Wakes everybody whose time has come.
    pub(crate) fn fire(&self) {
        let now = self.clock.now();
        loop {
            let due = {
                let mut queue = lock(&self.queue);
                let due = queue.first_entry().filter(|entry| entry.key().0 <= now);
                due.map(|entry| entry.remove())
            };
            match due {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

/// See [`Timers::sleep_until`].
#[derive(Debug)]
pub(crate) struct Sleep {
    timers: Arc<Timers>,
    key: (Timestamp, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.timers.clock.now() {
            return Poll::Ready(());
        }
        lock(&self.timers.queue).insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.timers.queue).remove(&self.key);
    }
}

type Job = Pin<Box<dyn Future<Output = ()>>>;

struct Slot {
    job: Job,
    actor: Actor,
    waker: Waker,
}

/// Wakes one job.
struct JobWaker {
    number: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for JobWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).insert(self.number);
    }
}

/// Jobs that wait for each other and for the clock.
pub(crate) struct Executor {
    jobs: BTreeMap<u64, Slot>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
    next: u64,
    /// Who acts while a job is polled.
    actor: Arc<Mutex<Actor>>,
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs, ready: {:?}", self.jobs.len(), lock(&self.ready))
    }
}

impl Executor {
    pub(crate) fn new(actor: Arc<Mutex<Actor>>) -> Self {
        Self { jobs: BTreeMap::new(), ready: Arc::default(), next: 0, actor }
    }

    /// Adds a job, which is ready at once.
    pub(crate) fn spawn(&mut self, actor: Actor, job: impl Future<Output = ()> + 'static) {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let waker = Arc::new(JobWaker { number, ready: Arc::clone(&self.ready) });
        let slot = Slot { job: Box::pin(job), actor, waker: Waker::from(waker) };
        self.jobs.insert(number, slot);
        lock(&self.ready).insert(number);
    }

    /// Drops every job.
    pub(crate) fn clear(&mut self) {
        self.jobs.clear();
        lock(&self.ready).clear();
    }

    /// How many jobs could go on now.
    pub(crate) fn ready(&self) -> usize {
        lock(&self.ready).len()
    }

    /// Polls the `index`-th of the ready jobs.
    pub(crate) fn run(&mut self, index: usize) {
        let number = {
            let mut ready = lock(&self.ready);
            let Some(number) = ready.iter().nth(index).copied() else { return };
            ready.remove(&number);
            number
        };
        let Some(slot) = self.jobs.get_mut(&number) else { return };
        *lock(&self.actor) = slot.actor.clone();
        let waker = slot.waker.clone();
        let done = slot.job.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        *lock(&self.actor) = Actor::Other;
        if done {
            self.jobs.remove(&number);
        }
    }
}
