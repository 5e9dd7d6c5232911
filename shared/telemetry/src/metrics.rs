//! Every metric, declared once: name, labels, unit, help. The table of docs/telemetry.md is made of this list. Labels are bounded sets; never ids, never messages (I10).

use prometheus::{Encoder, Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// A metric's declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSpec {
    pub name: &'static str,
    /// As Prometheus calls it: `counter`, `gauge` or `histogram`.
    pub sort: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// Seconds from a tenth of a millisecond to ten minutes.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];

macro_rules! metrics {
    ($($field:ident: $type:ident = $name:literal, [$($label:literal),*], $help:literal;)*) => {
        /// All metrics, in the order of the reference page.
        pub const SPECS: &[MetricSpec] = &[$(MetricSpec { name: $name, sort: <$type as Declared>::SORT, labels: &[$($label),*], help: $help },)*];

        /// The process's metrics.
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $type,)*
        }

        impl Metrics {
            /// # Errors
            /// If two metrics have one name: a mistake in this file.
            pub fn new() -> Result<Self, prometheus::Error> {
                let registry = Registry::new();
                $(let $field = <$type as Declared>::declare($name, $help, &[$($label),*])?; registry.register(Box::new($field.clone()))?;)*
                Ok(Self { registry, $($field,)* })
            }
        }
    };
}

trait Declared: Sized {
    const SORT: &'static str;

    fn declare(name: &str, help: &str, labels: &[&str]) -> Result<Self, prometheus::Error>;
}

impl Declared for IntCounterVec {
    const SORT: &'static str = "counter";

    fn declare(name: &str, help: &str, labels: &[&str]) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Declared for IntGaugeVec {
    const SORT: &'static str = "gauge";

    fn declare(name: &str, help: &str, labels: &[&str]) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Declared for HistogramVec {
    const SORT: &'static str = "histogram";

    fn declare(name: &str, help: &str, labels: &[&str]) -> Result<Self, prometheus::Error> {
        Self::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels)
    }
}

impl Declared for IntGauge {
    const SORT: &'static str = "gauge";

    fn declare(name: &str, help: &str, _labels: &[&str]) -> Result<Self, prometheus::Error> {
        Self::new(name, help)
    }
}

impl Declared for Gauge {
    const SORT: &'static str = "gauge";

    fn declare(name: &str, help: &str, _labels: &[&str]) -> Result<Self, prometheus::Error> {
        Self::new(name, help)
    }
}

metrics! {
    http_requests: IntCounterVec = "flotilla_http_requests_total", ["method", "route", "status"], "HTTP requests answered.";
    http_seconds: HistogramVec = "flotilla_http_request_seconds", ["method", "route"], "Time from a request's head to its answer's head.";
    http_connections: IntGauge = "flotilla_http_connections", [], "Open connections to this process's HTTP port.";
    http_in_work: IntGauge = "flotilla_http_requests_in_work", [], "Requests with a key that this process is answering; those that are refused for that are in `flotilla_http_shed_total`.";
    http_shed: IntCounterVec = "flotilla_http_shed_total", ["why"], "Callers told to come again at once: `connections`, `requests` or `bodies` were too many for this process, or it was `busy` with batches or streams.";
    jobs_accepted: IntCounterVec = "flotilla_jobs_accepted_total", ["queue", "kind"], "Jobs that became durable through the API. Callbacks are not counted here.";
    jobs_settled: IntCounterVec = "flotilla_jobs_settled_total", ["queue", "kind", "outcome"], "Attempts that ended, by outcome.";
    job_wait_seconds: HistogramVec = "flotilla_job_wait_seconds", ["queue"], "Time from due to claimed.";
    job_run_seconds: HistogramVec = "flotilla_job_run_seconds", ["queue", "kind"], "Time a handler took.";
    queue_depth: IntGaugeVec = "flotilla_queue_depth", ["queue", "priority"], "Jobs queued, from the store, read at each scrape.";
    queue_oldest_seconds: IntGaugeVec = "flotilla_queue_oldest_seconds", ["queue", "priority"], "Age of the oldest queued job in whole seconds, from the store.";
    worker_slots: IntGauge = "flotilla_worker_slots", [], "Slots of this worker process.";
    worker_busy: IntGauge = "flotilla_worker_busy_slots", [], "Slots of this worker process that run a job.";
    worker_settle_backlog: IntGauge = "flotilla_worker_settle_backlog", [], "Finished attempts that wait to be recorded.";
    worker_fenced: IntCounterVec = "flotilla_worker_fenced_total", ["why"], "Times this process lost its lease and went on under a new worker id.";
    hints_dropped: IntCounterVec = "flotilla_hints_dropped_total", [], "Jobs named by hints that this worker's claims did not get: somebody else had them, they were cancelled or expired, or the store does not know them, as after a failover that lost them.";
    duty_runs: IntCounterVec = "flotilla_duty_runs_total", ["duty", "result"], "Passes of housekeeping duties: `ok` or `failed`.";
    duty_items: IntCounterVec = "flotilla_duty_items_total", ["duty", "what"], "What duties did.";
    duty_seconds: HistogramVec = "flotilla_duty_seconds", ["duty"], "Time a pass of a duty took.";
    emissions: IntGaugeVec = "flotilla_emissions", ["state"], "Rows of the emission ledger, counted every 10 s by each scheduler. Each is one broker message. Absent while the store cannot count them. Distributed engine only.";
    partitions_ahead: IntGaugeVec = "flotilla_partitions_ahead", [], "Partitions of the job table that exist ahead of time; below 3 a person should look. Distributed engine only.";
    poison_messages: IntCounterVec = "flotilla_poison_messages_total", ["reason"], "Broker messages that were no hints, recorded by this process. Distributed engine only.";
    outbox_items: IntCounterVec = "flotilla_outbox_items_total", ["what"], "What this process told the ledger of the broker's news. Distributed engine only.";
    outbox_waiting: IntGauge = "flotilla_outbox_waiting", [], "News of the broker that this process has yet to tell the ledger; 0 on the embedded engine.";
    express_hints: IntCounterVec = "flotilla_express_hints_total", ["outcome"], "Hints of lone jobs that this process `offered` on the express lane, and what a worker did with those it took: `claimed`, `missed` (somebody had it), `stale` (not looked at); `spared` are copies at the broker of what it had claimed.";
    broker_state: IntGaugeVec = "flotilla_broker_state", ["state"], "1 while RabbitMQ is connected to send (`sending`) or to receive (`receiving`), takes no messages (`blocked`), or refuses something that a person must permit (`refused`). Distributed engine only.";
    broker_unconfirmed: IntGauge = "flotilla_broker_unconfirmed", [], "Messages this process sent to RabbitMQ that it has not confirmed yet; at most 1000. 0 on the embedded engine.";
    broker_connects: IntCounterVec = "flotilla_broker_connects_total", [], "Times this process connected to RabbitMQ to send. Distributed engine only.";
    store_errors: IntCounterVec = "flotilla_store_errors_total", ["role", "class"], "Calls of the store by workers that failed.";
    memory_bytes: IntGauge = "flotilla_process_resident_memory_bytes", [], "Resident memory of this process, where `/proc` tells it.";
    start_time: Gauge = "flotilla_process_start_time_seconds", [], "When this process started, in seconds since 1970.";
}

impl Metrics {
    /// Says when this process started, in microseconds since 1970.
    pub fn started_at_micros(&self, micros: i64) {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has only floating point; microseconds of this century fit")]
        self.start_time.set(micros as f64 / 1_000_000.0);
    }

    /// The exposition in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.memory_bytes.set(resident_bytes().unwrap_or(0));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Resident memory of this process, where `/proc` tells it.
pub fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_once_and_rendered() {
        let metrics = Metrics::new().expect("no doubles");
        metrics.jobs_accepted.with_label_values(&["webhooks", "webhooks.deliver"]).inc();
        let text = String::from_utf8(metrics.render().expect("rendered")).expect("text");
        assert!(text.contains("flotilla_jobs_accepted_total{kind=\"webhooks.deliver\",queue=\"webhooks\"} 1"), "{text}");
        assert!(SPECS.iter().all(|spec| spec.name.starts_with("flotilla_") && spec.help.ends_with('.')));
    }
}
