//! How do jobs wait in the store for a reason, at no cost, and who lets them go?

use domain::{JobFilter, JobId, JobState, NewJob, Priority, QueueName, WaitingFor};

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, PLENTY, SECOND, class, class_at, kind, listed, no_worker, other_kind, other_queue, rate_limit};
use crate::Until;

async fn park(b: &Bench, jobs: &[JobId], until: &Until) -> usize {
    b.store.park(&class(), jobs, until).await.expect("parks")
}

/// Parking before a claim leaves run and attempts as they are; the reason shows.
pub async fn parking_before_a_claim_costs_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs = b.queued_many(2).await;
    let until = Until::Time { at: b.now() + HOUR, reason: WaitingFor::Breaker };
    assert_eq!(park(&b, &jobs[..1], &until).await, 1);
    assert_eq!(park(&b, &jobs[1..], &rate_limit()).await, 1);
    for (id, reason) in jobs.iter().zip([WaitingFor::Breaker, WaitingFor::RateLimit]) {
        let job = b.read(*id).await;
        assert_eq!((job.state, job.waiting_for, job.run, job.attempt), (JobState::Waiting, Some(reason), 0, 0));
    }
    assert_eq!(b.claim(b.worker().await, &jobs).await, [], "parked jobs are not there to claim");
}

/// A job parked until a time is promoted then.
pub async fn a_job_parked_until_a_time_falls_due(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, at) = (b.queued().await, b.now() + HOUR);
    park(&b, &[id], &Until::Time { at, reason: WaitingFor::Paused }).await;
    assert_eq!(b.read(id).await.run_at, at);
    assert_eq!((b.promote().await.promoted, b.promote().await.next_timer), (0, Some(at)));
    b.let_it_fall_due(f, id).await;
    let claimed = b.take(b.worker().await, id).await;
    assert_eq!((claimed.run, claimed.attempt), (1, 1));
}

/// Only queued jobs of the class are parked, each once; the rest is noise.
pub async fn only_queued_jobs_of_the_class_are_parked(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let queued = b.queued().await;
    let high = b.put(NewJob { priority: Priority::High, ..b.job() }).await;
    let elsewhere = b.put(NewJob { queue: other_queue(), ..b.job() }).await;
    let waiting = b.waiting_until(b.now() + HOUR).await;
    let cancelled = b.queued().await;
    b.cancel(cancelled).await.expect("cancels");
    let (_, running) = b.running().await;
    let unknown = b.mint.job(b.now());
    let all = [unknown, queued, high, elsewhere, waiting, cancelled, running.id, queued];
    assert_eq!(park(&b, &all, &no_worker()).await, 1);
    assert_eq!(park(&b, &all, &no_worker()).await, 0, "once parked, no longer queued");
    assert_eq!((b.state(high).await, b.state(elsewhere).await), (JobState::Queued, JobState::Queued));
    assert_eq!((b.state(running.id).await, b.read(waiting).await.waiting_for), (JobState::Running, Some(WaitingFor::Time)));
}

/// Jobs without a worker are freed only when a worker with a live lease knows their kind.
pub async fn jobs_without_a_worker_wait_for_one_that_knows_them(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    let gone = b.worker().await;
    f.advance(LEASE_OVER);
    park(&b, &[id], &no_worker()).await;
    assert_eq!(b.release().await, [], "that worker's lease is over");
    b.worker_for(&[other_kind()]).await;
    assert_eq!(b.release().await, [], "that worker knows another kind");
    let retired = b.worker().await;
    b.store.retire(retired).await.expect("retires");
    assert_eq!(b.release().await, [], "a retired worker's kinds no longer count");
    assert_ne!(b.worker().await, gone);
    assert_eq!(b.release().await, [id]);
    assert_eq!((b.state(id).await, b.read(id).await.waiting_for), (JobState::Queued, None));
    assert_eq!(b.release().await, [], "once is enough");
}

/// Each kind waits for its own worker.
pub async fn a_release_frees_the_known_kinds_only(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let known = b.queued().await;
    let unknown = b.put(NewJob { kind: other_kind(), ..b.job() }).await;
    park(&b, &[known], &no_worker()).await;
    park(&b, &[unknown], &Until::Freed { reason: WaitingFor::NoWorker, key: other_kind().to_string() }).await;
    b.worker_for(&[kind()]).await;
    assert_eq!(b.release().await, [known]);
    b.worker_for(&[other_kind()]).await;
    assert_eq!(b.release().await, [unknown]);
}

/// A job that waits for another reason than a worker is not freed by one.
pub async fn a_worker_frees_no_other_reason(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    park(&b, &[id], &Until::Freed { reason: WaitingFor::RateLimit, key: kind().to_string() }).await;
    b.worker().await;
    f.advance(HOUR);
    b.worker().await;
    assert_eq!((b.release().await, b.promote().await.promoted), (vec![], 0));
    assert_eq!(b.state(id).await, JobState::Waiting);
}

/// Parked jobs are freed most important first, then oldest first, as many as asked for.
pub async fn parked_jobs_are_freed_in_order(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut expected = Vec::new();
    for priority in Priority::ALL.into_iter().rev() {
        let jobs: Vec<NewJob> = (0..2).map(|_| NewJob { priority, ..b.job() }).collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        b.enqueue(jobs).await;
        assert_eq!(b.store.park(&class_at(priority), &[ids[1], ids[0]], &no_worker()).await.expect("parks"), 2);
        expected.insert(0, ids);
    }
    b.worker().await;
    for id in expected.concat() {
        let released = b.store.release(1).await.expect("releases");
        assert_eq!((released.released, listed(&released.emissions)), (1, vec![id]));
    }
    assert_eq!(b.store.release(1).await.expect("releases").released, 0);
}

/// Freed jobs are emitted by class, each once. // I16
pub async fn freed_jobs_are_emitted_by_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let normal = b.queued_many(40).await;
    let high = b.put(NewJob { priority: Priority::High, ..b.job() }).await;
    park(&b, &normal, &no_worker()).await;
    b.store.park(&class_at(Priority::High), &[high], &no_worker()).await.expect("parks");
    b.worker().await;
    let released = b.store.release(PLENTY).await.expect("releases");
    assert_eq!((released.released, listed(&released.emissions).len()), (41, 41));
    for emission in &released.emissions {
        assert_eq!(emission.class, class_at(if emission.jobs.contains(&high) { Priority::High } else { Priority::Normal }));
    }
}

/// A parked job whose start-before passes expires where it waits.
pub async fn a_parked_job_can_expire(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { start_before: Some(b.now() + SECOND), ..b.job() }).await;
    park(&b, &[id], &no_worker()).await;
    f.advance(SECOND * 2);
    assert_eq!(b.promote().await.expired, 1);
    b.worker().await;
    assert_eq!(b.release().await, []);
    assert_eq!(b.state(id).await, JobState::Expired);
}

/// A parked job can wait for ever without being forgotten, also over a restart.
pub async fn parked_jobs_survive_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let id = b.queued().await;
    park(&b, &[id], &no_worker()).await;
    f.restart().await;
    b.reopen(f);
    assert_eq!(b.jobs(JobFilter { state: Some(JobState::Waiting), ..JobFilter::default() }).await.len(), 1);
    b.worker().await;
    assert_eq!(b.release().await, [id]);
    assert_eq!(b.read(id).await.queue, QueueName::of("mail"));
}
