//! What does the store promise about taking jobs in?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::{JobFilter, JobId, JobState, NewJob, Priority, QueueName, WaitingFor};

use super::Fixture;
use super::bench::Bench;
use super::sample::{
    HOUR, SECOND, class, class_at, idempotency, kind, listed, other_queue, queue, sorted, stranger, tenant, trace, unique,
};
use crate::{Acceptance, EnqueueError, Enqueued};

/// A job that is due now is queued at once, and listed in exactly one emission of its class. // I14, I16
pub async fn a_job_due_now_is_queued_and_emitted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = b.job();
    let id = job.id;
    let enqueued = b.enqueue(vec![job]).await;
    assert_eq!(listed(&enqueued.emissions), [id]);
    assert_eq!(enqueued.emissions[0].class, class());
    assert_eq!(enqueued.next_timer, None, "no timer is needed");
    let read = b.read(id).await;
    assert_eq!((read.state, read.run, read.attempt, read.crashes), (JobState::Queued, 0, 0, 0));
}

/// Everything a submission says is kept as it was said.
pub async fn a_submission_is_kept_as_it_was(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    let job = NewJob {
        priority: Priority::High,
        run_at: Some(before + HOUR),
        start_before: Some(before + HOUR * 2),
        max_attempts: 7,
        timeout: Duration::from_millis(90_500),
        tags: vec!["b".to_owned(), "a".to_owned()],
        group: Some("customer:9".to_owned()),
        callback_url: Some("https://example.com/told".to_owned()),
        ..b.job()
    };
    let id = b.put(job.clone()).await;
    let read = b.read(id).await;
    assert_eq!((read.id, read.tenant, read.kind, read.queue, read.priority), (id, tenant(), kind(), queue(), Priority::High));
    assert_eq!((Some(read.run_at), read.start_before, read.max_attempts), (job.run_at, job.start_before, 7));
    assert_eq!((read.timeout, read.payload, read.trace), (job.timeout, job.payload, trace()));
    assert_eq!((read.tags, read.group, read.callback_url), (job.tags, job.group, job.callback_url));
    assert_eq!((read.started_at, read.finished_at, read.worker, read.result, read.error), (None, None, None, None, None));
    assert!(!read.cancel_requested && read.progress.is_none());
    let slack = Duration::from_millis(1);
    assert!(read.created_at + slack >= before && read.created_at <= b.now() + slack, "accepted at {}", read.created_at);
}

/// A job due later waits for its time, and the call says when its timer is due.
pub async fn a_job_due_later_waits_for_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let job = NewJob { run_at: Some(at), ..b.job() };
    let id = job.id;
    let enqueued = b.enqueue(vec![job]).await;
    assert_eq!((enqueued.emissions.as_slice(), enqueued.next_timer), ([].as_slice(), Some(at)));
    let read = b.read(id).await;
    assert_eq!((read.state, read.waiting_for, read.run_at), (JobState::Waiting, Some(WaitingFor::Time), at));
}

/// A time to run that has passed already means now.
pub async fn a_job_due_in_the_past_is_queued(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { run_at: Some(b.now() - HOUR), ..b.job() }).await;
    assert_eq!(b.state(id).await, JobState::Queued);
}

/// The earliest timer of a batch is the one the call reports, expiries included.
pub async fn a_batch_reports_its_earliest_timer(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let now = b.now();
    let later = |hours: u32| NewJob { run_at: Some(now + HOUR * hours), ..b.job() };
    let expiring = NewJob { start_before: Some(now + HOUR), ..b.job() };
    assert_eq!(b.enqueue(vec![later(3), later(2), later(4)]).await.next_timer, Some(now + HOUR * 2));
    assert_eq!(b.enqueue(vec![later(3), expiring, b.job()]).await.next_timer, Some(now + HOUR));
}

/// A batch answers one by one in its own order, and its emissions list each queued job once, by class.
pub async fn a_batch_keeps_its_order_and_is_emitted_by_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs: Vec<NewJob> = (0..100)
        .map(|n| match n % 4 {
            0 => NewJob { priority: Priority::Critical, ..b.job() },
            1 => NewJob { queue: other_queue(), ..b.job() },
            2 => NewJob { run_at: Some(b.now() + HOUR), ..b.job() },
            _ => b.job(),
        })
        .collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let due: Vec<JobId> = jobs.iter().filter(|job| job.run_at.is_none()).map(|job| job.id).collect();
    let enqueued = b.enqueue(jobs).await;
    assert_eq!(enqueued.accepted.iter().map(|accepted| accepted.job).collect::<Vec<_>>(), ids);
    assert!(enqueued.accepted.iter().all(|accepted| accepted.how == Acceptance::New));
    assert_eq!(listed(&enqueued.emissions), sorted(&due));
    for emission in &enqueued.emissions {
        for job in b.store.jobs_by_id(&tenant(), &emission.jobs).await.expect("reads") {
            assert_eq!((job.queue, job.priority), (emission.class.queue.clone(), emission.class.priority));
        }
    }
}

/// The largest batch is one transaction like any other.
pub async fn the_largest_batch_is_taken_whole(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs: Vec<NewJob> = (0..domain::bounds::BATCH_JOBS_MAX).map(|_| b.job()).collect();
    let enqueued = b.enqueue(jobs).await;
    assert_eq!(enqueued.accepted.len(), domain::bounds::BATCH_JOBS_MAX);
    assert_eq!(listed(&enqueued.emissions).len(), domain::bounds::BATCH_JOBS_MAX);
    let queued: u64 = b.store.depths().await.expect("counts").iter().map(|depth| depth.queued).sum();
    assert_eq!(queued, domain::bounds::BATCH_JOBS_MAX as u64);
}

/// No jobs are no error.
pub async fn an_empty_batch_records_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(b.enqueue(Vec::new()).await, Enqueued::default());
}

/// When one item of a batch is refused, nothing of the batch is recorded, also not its keys.
pub async fn a_batch_is_recorded_whole_or_not_at_all(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.put(NewJob { idempotency: idempotency("used", 1), ..b.job() }).await;
    let good = NewJob { idempotency: idempotency("fresh", 1), ..b.job() };
    let bad = NewJob { idempotency: idempotency("used", 2), ..b.job() };
    let batch = vec![b.job(), good, bad, b.job()];
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).collect();
    let refused = b.store.enqueue(batch).await;
    assert!(matches!(refused, Err(EnqueueError::KeyReused { index: 2 })), "{refused:?}");
    assert_eq!(b.store.jobs_by_id(&tenant(), &ids).await.expect("reads"), []);
    assert_eq!(b.store.remembered(&tenant(), &["fresh".to_owned()]).await.expect("looks up"), [None]);
}

/// A call repeated under the ids it was minted with, because its reply was lost, is taken once and disturbs nothing.
pub async fn a_repeated_submission_is_taken_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let keyed = NewJob { idempotency: idempotency("k", 1), ..b.job() };
    let alone = NewJob { unique: unique("u", None), ..b.job() };
    let later = NewJob { run_at: Some(b.now() + HOUR), ..b.job() };
    let batch = vec![b.job(), keyed, alone, later];
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).collect();
    b.enqueue(batch.clone()).await;
    let claimed = b.take(b.worker().await, ids[0]).await;
    let before = b.jobs(JobFilter::default()).await;
    let again = b.enqueue(batch).await;
    assert_eq!(again.accepted.iter().map(|accepted| accepted.job).collect::<Vec<_>>(), ids, "each is its own job of back then");
    assert_eq!(b.jobs(JobFilter::default()).await, before);
    assert_eq!(b.read(claimed.id).await.run, claimed.run);
}

/// What was accepted is there after the process died without a word. // I14
pub async fn what_was_accepted_survives_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let (queued, waiting) = (b.queued().await, b.waiting_until(b.now() + HOUR).await);
    let before = (b.read(queued).await, b.read(waiting).await);
    f.restart().await;
    b.reopen(f);
    assert_eq!((b.read(queued).await, b.read(waiting).await), before);
}

/// The payload's text comes back byte for byte, to readers and to workers.
pub async fn a_payload_is_kept_byte_for_byte(f: &mut dyn Fixture) {
    let payloads = [
        "{ \"b\" : 1,\n\t\"a\":2 }",
        r#"{"a":1,"a":2}"#,
        r#"{"zero":"\u0000","quote":"\"","slash":"\/","pair":"\ud83d\ude00","lone":"\ud800"}"#,
        r#"{"big":123456789012345678901234567890,"tiny":1e-400,"huge":1E+400,"dec":0.10000000000000000001,"neg":-0}"#,
        "{\"text\":\"grüße 你好 🦀 \u{2028}\u{7f}\"}",
        "\"just text\"",
        "null",
    ];
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for payload in payloads {
        let id = b.put(NewJob { payload: Arc::from(payload), ..b.job() }).await;
        assert_eq!(&*b.read(id).await.payload, payload);
        assert_eq!(&*b.take(worker, id).await.payload, payload);
    }
}

/// The largest payload is kept like any other.
pub async fn the_largest_payload_is_kept(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let payload: Arc<str> = format!("\"{}\"", "x".repeat(domain::bounds::PAYLOAD_BYTES_MAX - 2)).into();
    let id = b.put(NewJob { payload: Arc::clone(&payload), ..b.job() }).await;
    assert!(b.read(id).await.payload == payload, "the text changed");
}

/// Jobs of every priority wait in a class of their own.
pub async fn every_priority_has_its_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs: Vec<NewJob> = Priority::ALL.into_iter().map(|priority| NewJob { priority, ..b.job() }).collect();
    let classes: BTreeSet<_> = b.enqueue(jobs).await.emissions.into_iter().map(|emission| emission.class).collect();
    assert_eq!(classes, Priority::ALL.into_iter().map(class_at).collect());
}

/// Declaring a queue makes it exist, and twice is no error; the queues of registered kinds exist as well.
pub async fn queues_exist_once_declared_or_used_by_a_kind(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let fresh = QueueName::of("fresh");
    assert!(!b.store.queues().await.expect("lists").contains(&fresh));
    for _ in 0..2 {
        b.store.declare_queues(std::slice::from_ref(&fresh)).await.expect("declares");
    }
    let mut registration = b.registration(&[kind()]);
    registration.kinds[0].queue = QueueName::of("from-kind");
    b.store.register(&registration).await.expect("registers");
    let queues = b.store.queues().await.expect("lists");
    for name in [fresh, QueueName::of("from-kind"), queue()] {
        assert_eq!(queues.iter().filter(|queue| **queue == name).count(), 1, "{name} in {queues:?}");
    }
}

/// Another tenant's submissions are its own.
pub async fn tenants_submit_side_by_side(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let theirs = NewJob { tenant: stranger(), ..b.job() };
    let their_id = theirs.id;
    let own = b.job();
    let own_id = own.id;
    b.enqueue(vec![own, theirs]).await;
    assert_eq!(b.find(their_id).await, None);
    assert_eq!(b.store.job(&stranger(), their_id).await.expect("reads").expect("is theirs").tenant, stranger());
    assert_eq!(b.store.job(&stranger(), own_id).await.expect("reads"), None);
}

/// The store's clock moves on with the fixture's.
pub async fn the_clock_moves_forward(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    f.advance(HOUR);
    let after = b.now();
    assert!(after >= before + HOUR && after < before + HOUR + SECOND * 60, "from {before} to {after}");
    b.store.ping().await.expect("answers");
}
