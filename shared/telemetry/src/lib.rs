//! `telemetry` declares what Flotilla says about itself: log format, field names, metric names. It does not decide what is worth saying.

mod chain;
pub mod fields;
mod logs;
mod metrics;
pub mod reference;

pub use chain::chain;
pub use logs::{LogFormat, LogsError, init};
pub use metrics::{MetricSpec, Metrics, SPECS, resident_bytes};
