//! What the fleet knows of a kind of job: registered by the workers that run it, read by the intake that validates.

use std::sync::Arc;
use std::time::Duration;

use crate::{EffectPolicy, KindName, QueueName, RetryPolicy};

/// A kind as its workers registered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindInfo {
    pub name: KindName,
    /// Where its jobs wait unless a submission says otherwise.
    pub queue: QueueName,
    /// The payload's JSON Schema (2020-12) as text.
    pub schema: Arc<str>,
    pub max_attempts: u16,
    pub timeout: Duration,
    pub retry: RetryPolicy,
    pub effects: EffectPolicy,
}
