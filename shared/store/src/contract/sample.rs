//! What do the jobs, kinds, classes and failures look like that the cases work with? Nouns only; verbs are in `bench`.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::LEASE_FOR;
use domain::{
    Class, EffectPolicy, Emission, Failure, Idempotency, JobId, KindInfo, KindName, Priority, QueueName, RetryPolicy, TenantId,
    TraceContext, Unique, WaitingFor,
};

use crate::{Actor, End, Until};

/// Longer than any lease lasts without a renewal.
pub const LEASE_OVER: Duration = LEASE_FOR.saturating_add(SECOND);
/// How far a process's estimate of the store's time may be off on a busy machine.
pub const SLACK: Duration = Duration::from_millis(250);
pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Enough for a duty to do all there is in one pass of any case.
pub const PLENTY: usize = 1_000;

pub fn tenant() -> TenantId {
    TenantId::of("default")
}

pub fn stranger() -> TenantId {
    TenantId::of("stranger")
}

pub fn queue() -> QueueName {
    QueueName::of("mail")
}

pub fn other_queue() -> QueueName {
    QueueName::of("reports")
}

pub fn kind() -> KindName {
    KindName::of("mail.send")
}

pub fn other_kind() -> KindName {
    KindName::of("reports.build")
}

/// The kind of the jobs that tell callers about ended jobs.
pub fn callback_kind() -> KindName {
    KindName::of("webhooks.deliver")
}

/// The class of [`super::bench::Bench::job`].
pub fn class() -> Class {
    class_at(Priority::Normal)
}

pub fn class_at(priority: Priority) -> Class {
    Class { queue: queue(), priority }
}

pub fn kind_info(name: KindName, queue: QueueName) -> KindInfo {
    KindInfo {
        name,
        queue,
        schema: Arc::from(r#"{"type":"object"}"#),
        max_attempts: 3,
        timeout: Duration::from_secs(60),
        retry: RetryPolicy::default(),
        effects: EffectPolicy::Verify,
    }
}

pub fn operator() -> Actor {
    Actor { tenant: tenant(), name: "ops".to_owned(), request_id: "req-1".to_owned() }
}

/// Someone who may act, but for another tenant.
pub fn outsider() -> Actor {
    Actor { tenant: stranger(), name: "outsider".to_owned(), request_id: "req-2".to_owned() }
}

pub fn trace() -> TraceContext {
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("the sample of the specification")
}

pub fn a_failure() -> Failure {
    Failure::transient("http_503", "the provider is busy").with_hint("wait")
}

pub fn a_success() -> End {
    End::Succeeded { result: Some(r#"{"ok":true}"#.into()) }
}

pub fn a_death() -> End {
    End::Dead { failure: Failure::permanent("http_404", "no such mailbox") }
}

/// Parked until a worker knows the sample's kind.
pub fn no_worker() -> Until {
    Until::Freed { reason: WaitingFor::NoWorker, key: kind().to_string() }
}

/// Parked under a key that nothing in these cases frees.
pub fn rate_limit() -> Until {
    Until::Freed { reason: WaitingFor::RateLimit, key: "account:7".to_owned() }
}

/// An idempotency key with a request whose hash is `n` all over.
pub fn idempotency(key: &str, n: u8) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), request_hash: [n; 32] })
}

pub fn unique(key: &str, window: Option<Duration>) -> Option<Unique> {
    Some(Unique { key: key.to_owned(), window })
}

/// The ids these emissions list, sorted; fails when one is listed twice or an emission breaks its own rules.
pub fn listed(emissions: &[Emission]) -> Vec<JobId> {
    let mut ids: Vec<JobId> = emissions.iter().flat_map(|emission| emission.jobs.iter().copied()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a job is listed twice: {emissions:?}");
    for emission in emissions {
        let size = emission.jobs.len();
        assert!((1..=domain::bounds::EMISSION_IDS_MAX).contains(&size), "an emission of {size} ids");
    }
    ids
}

/// The same ids in the order of their minting.
pub fn sorted(ids: &[JobId]) -> Vec<JobId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}
