//! What does a worker get when it asks for jobs? Exactly one winner, a new run, and nothing that is noise.

use std::sync::Arc;

use domain::{ClaimedJob, JobId, JobState, NewJob, Priority, WorkerId};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, PLENTY, SECOND, a_failure, class, class_at, kind, listed, other_queue, queue, tenant, trace};
use crate::{Claimed, ClassNeed, End, Until, WorkError};

fn ids(claimed: &[ClaimedJob]) -> Vec<JobId> {
    claimed.iter().map(|job| job.id).collect()
}

/// Two workers race for one job: one wins, the other sees nothing. // I1, I3
pub async fn two_workers_race_for_one_job_and_one_wins(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let workers = [b.worker().await, b.worker().await];
    for _ in 0..20 {
        let id = b.queued().await;
        let won = race(&b, &workers, &[id]).await;
        assert_eq!(won.len(), 1, "{won:?}");
        let job = b.read(id).await;
        assert_eq!((job.state, job.run, job.attempt, job.worker), (JobState::Running, 1, 1, Some(won[0].0)));
    }
}

/// Many workers that all ask for the same jobs get each of them once. // I3
pub async fn overlapping_claims_share_the_jobs_out(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut workers = Vec::new();
    for _ in 0..6 {
        workers.push(b.worker().await);
    }
    let jobs = b.queued_many(60).await;
    let won = race(&b, &workers, &jobs).await;
    let mut taken: Vec<JobId> = won.iter().map(|(_, job)| job.id).collect();
    taken.sort_unstable();
    assert_eq!(taken, jobs);
}

/// Lets all workers ask for `jobs` at once.
async fn race(b: &Bench, workers: &[WorkerId], jobs: &[JobId]) -> Vec<(WorkerId, ClaimedJob)> {
    let barrier = Arc::new(Barrier::new(workers.len()));
    let calls: Vec<_> = workers
        .iter()
        .map(|worker| {
            let (store, barrier, claim) = (Arc::clone(&b.store), Arc::clone(&barrier), b.claim_of(*worker, jobs));
            tokio::spawn(async move {
                barrier.wait().await;
                (claim.worker, store.claim(&claim).await.expect("claims").jobs)
            })
        })
        .collect();
    let mut won = Vec::new();
    for call in calls {
        let (worker, claimed) = call.await.expect("no panic");
        won.extend(claimed.into_iter().map(|job| (worker, job)));
    }
    won
}

/// A claim gives the worker all it needs to run the job.
pub async fn a_claim_carries_the_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    let job = b.job();
    b.put(job.clone()).await;
    let claim = b.claim_of(b.worker().await, &[job.id]);
    let claimed = b.store.claim(&claim).await.expect("claims").jobs.remove(0);
    assert_eq!((claimed.id, claimed.run, claimed.claim, claimed.attempt), (job.id, 1, claim.id, 1));
    assert_eq!((&claimed.tenant, &claimed.kind, &claimed.queue), (&tenant(), &kind(), &queue()));
    assert_eq!((claimed.priority, claimed.max_attempts, claimed.timeout), (job.priority, job.max_attempts, job.timeout));
    assert_eq!((claimed.cancel_requested, claimed.edits, claimed.trace), (false, 0, trace()));
    assert_eq!(claimed.stable_key(), job.id.to_string());
    assert!(claimed.started_at >= before && claimed.started_at <= b.now());
    let read = b.read(job.id).await;
    assert_eq!((read.state, read.worker, read.started_at), (JobState::Running, Some(claim.worker), Some(claimed.started_at)));
    assert_eq!(claimed.due_at, read.created_at, "due when it was accepted");
    assert_eq!(b.store.running().await.expect("counts"), 1);
}

/// Each claim makes a new run; neither retry, deferral, crash nor replay lowers it.
pub async fn every_claim_is_a_new_run(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { max_attempts: 9, ..b.job() }).await;
    let worker = b.worker().await;
    let mut runs = Vec::new();
    let until = Until::Time { at: b.now(), reason: domain::WaitingFor::RateLimit };
    for end in [End::Retry { at: b.now(), failure: a_failure() }, End::Deferred { until, failure: None }] {
        let claimed = b.take(worker, id).await;
        runs.push(claimed.run);
        b.end(worker, &claimed, end).await;
        b.let_it_fall_due(f, id).await;
    }
    b.crash(f, id).await;
    runs.push(b.read(id).await.run);
    b.let_it_fall_due(f, id).await;
    b.cancel(id).await.expect("cancels");
    b.replay(id).await;
    runs.push(b.take(b.worker().await, id).await.run);
    assert_eq!(runs, [1, 2, 3, 4]);
}

/// The reply is in the order in which the jobs were named.
pub async fn a_claim_answers_in_the_order_of_asking(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let mut jobs = b.queued_many(50).await;
    jobs.reverse();
    jobs.swap(3, 40);
    assert_eq!(ids(&b.claim(worker, &jobs).await), jobs);
}

/// A job named twice is claimed once.
pub async fn a_job_named_twice_is_claimed_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, id) = (b.worker().await, b.queued().await);
    let claimed = b.claim(worker, &[id, id, id]).await;
    assert_eq!((ids(&claimed), claimed[0].run, claimed[0].attempt), (vec![id], 1, 1));
    assert_eq!(b.read(id).await.run, 1);
}

/// Unknown, waiting, running and ended jobs are noise in a claim; the rest is taken.
pub async fn what_is_not_queued_is_noise(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let unknown = b.mint.job(b.now());
    let waiting = b.waiting_until(b.now() + HOUR).await;
    let cancelled = b.queued().await;
    b.cancel(cancelled).await.expect("cancels");
    let (holder, running) = b.running().await;
    let queued = b.queued().await;
    let worker = b.worker().await;
    let taken = b.claim(worker, &[unknown, waiting, cancelled, running.id, queued]).await;
    assert_eq!(ids(&taken), [queued]);
    assert_eq!(b.claim(worker, &[queued]).await, [], "a late or doubled hint finds nothing");
    let read = b.read(running.id).await;
    assert_eq!((read.worker, read.run), (Some(holder), 1));
    assert_eq!((b.state(waiting).await, b.state(cancelled).await), (JobState::Waiting, JobState::Cancelled));
}

/// A hint of another priority or another queue is noise.
pub async fn a_hint_of_another_class_is_noise(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let high = b.put(NewJob { priority: Priority::High, ..b.job() }).await;
    let elsewhere = b.put(NewJob { queue: other_queue(), ..b.job() }).await;
    assert_eq!(b.claim(worker, &[high, elsewhere]).await, []);
    assert_eq!((b.state(high).await, b.state(elsewhere).await), (JobState::Queued, JobState::Queued));
    let claim = b.claim_in(&class_at(Priority::High), worker, &[high, elsewhere]);
    assert_eq!(ids(&b.store.claim(&claim).await.expect("claims").jobs), [high]);
}

/// A claim of nothing, or of nothing that is there, takes nothing.
pub async fn an_empty_claim_takes_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    assert_eq!(b.claim(worker, &[]).await, []);
    let claim = b.claim_of(worker, &[b.mint.job(b.now())]);
    assert_eq!(b.store.claim(&claim).await.expect("claims"), Claimed::default());
    assert_eq!(b.store.adopt(worker, claim.id).await.expect("looks"), []);
}

/// The largest claim is taken whole and in order.
pub async fn the_largest_claim_is_taken_whole(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let jobs = b.queued_many(domain::bounds::FLUSH_JOBS_MAX).await;
    assert_eq!(ids(&b.claim(worker, &jobs).await), jobs);
    assert_eq!(b.store.running().await.expect("counts"), jobs.len() as u64);
}

/// A worker that never registered, whose lease is over, or that has retired is fenced and takes nothing. // I3
pub async fn a_worker_without_a_live_lease_is_fenced(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (retired, expired) = (b.worker().await, b.worker().await);
    f.advance(LEASE_OVER / 2);
    b.renew(retired, &[]).await.expect("renews");
    b.store.retire(retired).await.expect("retires");
    f.advance(LEASE_OVER);
    let id = b.queued().await;
    for worker in [expired, retired, b.mint.worker(b.now())] {
        let answer = b.store.claim(&b.claim_of(worker, &[id])).await;
        assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    }
    let job = b.read(id).await;
    assert_eq!((job.state, job.run, job.attempt), (JobState::Queued, 0, 0));
}

/// A worker that retired is fenced at once, although its lease would have lasted.
pub async fn a_retired_worker_is_fenced_at_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, id) = (b.worker().await, b.queued().await);
    b.store.retire(worker).await.expect("retires");
    let answer = b.store.claim(&b.claim_of(worker, &[id])).await;
    assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    assert!(matches!(b.renew(worker, &[]).await, Err(WorkError::Fenced)));
}

/// A fenced claim leaves the hints' ledger rows where they are: the jobs are emitted again. // I16
pub async fn a_fenced_claim_keeps_the_ledger(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    f.advance(LEASE_OVER);
    let job = b.job();
    let id = job.id;
    let hints = b.enqueue(vec![job]).await.emissions.into_iter().map(|emission| emission.id).collect();
    let claim = crate::Claim { hints, ..b.claim_of(worker, &[id]) };
    assert!(matches!(b.store.claim(&claim).await, Err(WorkError::Fenced)));
    f.advance(SECOND * 90);
    let needs = [ClassNeed { class: class(), room: PLENTY }];
    let due = b.store.emissions_due(&needs, PLENTY).await.expect("lists").emissions;
    assert_eq!(listed(&due), [id]);
}

/// The hints of a claim are noise afterwards: what was claimed is not emitted again.
pub async fn claimed_jobs_are_not_emitted_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = b.job();
    let id = job.id;
    let hints = b.enqueue(vec![job]).await.emissions.into_iter().map(|emission| emission.id).collect();
    let worker = b.worker().await;
    let claim = crate::Claim { hints, ..b.claim_of(worker, &[id]) };
    let claimed = b.store.claim(&claim).await.expect("claims").jobs;
    b.keep_alive(f, worker, &[claimed[0].claim], SECOND * 90).await;
    let needs = [ClassNeed { class: class(), room: PLENTY }];
    assert_eq!(b.store.emissions_due(&needs, PLENTY).await.expect("lists").emissions, []);
}

/// A job whose start-before has passed before its first start expires when it is claimed.
pub async fn a_late_job_expires_at_the_claim(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let late = b.put(NewJob { start_before: Some(b.now() + SECOND), ..b.job() }).await;
    let early = b.put(NewJob { start_before: Some(b.now() + HOUR), ..b.job() }).await;
    f.advance(SECOND * 2);
    let worker = b.worker().await;
    assert_eq!(ids(&b.claim(worker, &[late, early]).await), [early]);
    let job = b.read(late).await;
    assert_eq!((job.state, job.run, job.attempt, job.started_at), (JobState::Expired, 0, 0, None));
    assert!(job.finished_at.is_some());
}

/// Start-before concerns the first start only: a job that was started once is claimed however late it is.
pub async fn a_started_job_is_never_late(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let start_before = b.now() + SECOND * 30;
    let (worker, claimed) = b.running_of(NewJob { start_before: Some(start_before), ..b.job() }).await;
    b.end(worker, &claimed, End::Retry { at: start_before + HOUR, failure: a_failure() }).await;
    b.let_it_fall_due(f, claimed.id).await;
    let again = b.take(b.worker().await, claimed.id).await;
    assert_eq!((again.run, again.attempt), (2, 2));
}

/// A job is due when it was accepted or when it was to run, whichever is later, and retries do not move that.
pub async fn the_due_time_is_that_of_the_first_start(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let id = b.waiting_until(at).await;
    b.let_it_fall_due(f, id).await;
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    assert_eq!(claimed.due_at, at);
    b.end(worker, &claimed, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    b.let_it_fall_due(f, id).await;
    assert_eq!(b.take(b.worker().await, id).await.due_at, at, "policies that count elapsed time need the first");
}
