//! Numbers about requests and connections.

use std::sync::PoisonError;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::config::SharedRegistry;

/// Upper bounds of the latency histogram, in seconds.
const BUCKETS_S: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    operation: &'static str,
    code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: &'static str,
    operation: &'static str,
}

/// The gateway's metrics. Labels come from the models and from HTTP statuses only, so that no
/// caller can make their number grow.
pub(crate) struct Metrics {
    registry: SharedRegistry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<OperationLabels, Histogram, fn() -> Histogram>,
    connections: Gauge,
    in_flight: Gauge,
}

/// Counts one thing for as long as it lives, also when its future is dropped half-way.
pub(crate) struct Present(Gauge);

impl Present {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Registers the gateway's metrics in `registry`.
    pub(crate) fn new(registry: SharedRegistry) -> Self {
        let requests = Family::default();
        let latency: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS_S));
        let (connections, in_flight) = (Gauge::default(), Gauge::default());
        {
            let mut all = registry.lock().unwrap_or_else(PoisonError::into_inner);
            let own = all.sub_registry_with_prefix("portcullis_gateway");
            own.register("requests", "Requests by HTTP status", requests.clone());
            own.register(
                "request_duration_seconds",
                "Time from the headers of a request to its answer",
                latency.clone(),
            );
            own.register("connections", "Open connections", connections.clone());
            own.register("in_flight", "Requests not yet answered", in_flight.clone());
        }
        Self { registry, requests, latency, connections, in_flight }
    }

    /// Counts an open connection.
    pub(crate) fn connection(&self) -> Present {
        Present::new(&self.connections)
    }

    /// Counts a request under way.
    pub(crate) fn in_flight(&self) -> Present {
        Present::new(&self.in_flight)
    }

    /// Counts a request that was answered with `code` after `duration`.
    pub(crate) fn answered(
        &self,
        service: &'static str,
        operation: &'static str,
        code: u16,
        duration: Duration,
    ) {
        let labels = RequestLabels { service, operation, code: u32::from(code) };
        self.requests.get_or_create(&labels).inc();
        let labels = OperationLabels { service, operation };
        self.latency.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// All metrics of the registry in Prometheus' text format.
    pub(crate) fn print(&self) -> Option<String> {
        let mut page = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut page, &registry).ok()?;
        Some(page)
    }
}
