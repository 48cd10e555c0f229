//! Who wants to know that something changed. Only *that*: what changed is read from the view.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// Something that a reconciler may want to look at again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// A service, one of its tasks, deployments or revisions.
    Service {
        /// Name of the cluster.
        cluster: String,
        /// Name of the service.
        service: String,
    },
    /// A container instance's own record.
    Instance {
        /// Its id.
        id: String,
    },
    /// A task placed on a container instance.
    TasksOn {
        /// The instance's id.
        instance: String,
    },
}

#[derive(Debug, Default)]
struct Inbox {
    touched: Mutex<BTreeSet<Touched>>,
    wake: Notify,
}

/// What has been touched since it was last asked. Bounded: everything is in it once at most.
#[derive(Debug)]
pub struct Subscription(Arc<Inbox>);

impl Subscription {
    /// Waits until something was touched and takes all of it. Cancel safe.
    pub async fn next(&mut self) -> BTreeSet<Touched> {
        loop {
            let notified = self.0.wake.notified();
            let touched =
                std::mem::take(&mut *self.0.touched.lock().unwrap_or_else(PoisonError::into_inner));
            if !touched.is_empty() {
                return touched;
            }
            notified.await;
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<Weak<Inbox>>>);

impl Subscribers {
    pub(crate) fn add(&self, touched: Vec<Touched>) -> Subscription {
        let inbox = Arc::new(Inbox {
            touched: Mutex::new(touched.into_iter().collect()),
            wake: Notify::new(),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&inbox));
        Subscription(inbox)
    }

    pub(crate) fn touch(&self, touched: &[Touched]) {
        if touched.is_empty() {
            return;
        }
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|inbox| {
            let Some(inbox) = inbox.upgrade() else { return false };
            inbox
                .touched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(touched.iter().cloned());
            inbox.wake.notify_one();
            true
        });
    }
}
