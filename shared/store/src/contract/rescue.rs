//! What becomes of a dead worker's jobs? They are given back once, and a crash costs the attempt.

use std::sync::Arc;

use domain::bounds::{CRASHES_MAX, LEASE_FOR};
use domain::{JobState, NewJob, TenantId, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::{Bench, settlement};
use super::sample::{HOUR, LEASE_OVER, SECOND, a_failure, a_success, tenant};
use crate::{End, Rescued, WorkError};

/// A dead worker's running job waits for another attempt; the crash counts, the run stays. // I3
pub async fn a_dead_workers_job_is_given_back(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    f.advance(LEASE_OVER);
    let rescued = b.rescue().await;
    assert_eq!((rescued.workers.as_slice(), rescued.retried, rescued.dead, rescued.cancelled), ([worker].as_slice(), 1, 0, 0));
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.run, job.attempt, job.crashes, job.worker), (JobState::Waiting, 1, 1, 1, None));
    b.let_it_fall_due(f, claimed.id).await;
    let again = b.take(b.worker().await, claimed.id).await;
    assert_eq!((again.run, again.attempt), (2, 2));
}

/// Without dead workers there is nothing to rescue, and a second pass finds nothing more. // I9
pub async fn rescuing_twice_changes_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(b.rescue().await, Rescued::default());
    let (_, claimed) = b.running().await;
    assert_eq!(b.rescue().await, Rescued::default());
    f.advance(LEASE_OVER);
    b.rescue().await;
    let before = b.read(claimed.id).await;
    let again = b.rescue().await;
    assert_eq!((again.retried, again.dead, again.cancelled, again.emissions.as_slice()), (0, 0, 0, [].as_slice()));
    assert_eq!(b.read(claimed.id).await, before);
}

/// Only what runs under a dead worker is touched: not its ended jobs, not those of live workers.
pub async fn only_running_jobs_of_dead_workers_are_touched(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (live, dead) = (b.worker().await, b.worker().await);
    let jobs = b.queued_many(4).await;
    let held = b.take(live, jobs[0]).await;
    let claimed = b.claim(dead, &jobs[1..]).await;
    b.end(dead, &claimed[0], a_success()).await;
    b.end(dead, &claimed[1], End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    b.keep_alive(f, live, &[held.claim], LEASE_OVER).await;
    let rescued = b.rescue().await;
    assert_eq!((rescued.workers.as_slice(), rescued.retried), ([dead].as_slice(), 1));
    let mut states = Vec::new();
    for id in &jobs {
        states.push((b.state(*id).await, b.read(*id).await.crashes));
    }
    let expected = [(JobState::Running, 0), (JobState::Succeeded, 0), (JobState::Waiting, 0), (JobState::Waiting, 1)];
    assert_eq!(states, expected);
}

/// Leases decide, never age: a job that runs for three hours under a live lease is left alone.
pub async fn a_long_job_under_a_live_lease_is_left_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    for _ in 0..12 {
        b.keep_alive(f, worker, &[claimed.claim], HOUR / 4).await;
        assert_eq!(b.rescue().await, Rescued::default());
    }
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(b.read(claimed.id).await.crashes, 0);
}

/// The third crash kills the job as `worker_lost`, however many attempts it has left.
pub async fn the_third_crash_kills(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { max_attempts: 50, ..b.job() }).await;
    for crash in 1..CRASHES_MAX {
        let rescued = b.crash(f, id).await;
        assert_eq!((rescued.retried, rescued.dead), (1, 0));
        assert_eq!(b.read(id).await.crashes, crash);
        b.let_it_fall_due(f, id).await;
    }
    let rescued = b.crash(f, id).await;
    assert_eq!((rescued.retried, rescued.dead), (0, 1));
    let job = b.read(id).await;
    assert_eq!((job.state, job.crashes, job.attempt, job.run), (JobState::Dead, CRASHES_MAX, 3, 3));
    assert_eq!(job.error.expect("says why").code, "worker_lost");
    assert!(job.finished_at.is_some() && job.worker.is_none());
}

/// A crash at the last attempt kills the job as `worker_lost`.
pub async fn a_crash_at_the_last_attempt_kills(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(NewJob { max_attempts: 2, ..b.job() }).await;
    b.end(worker, &claimed, End::Retry { at: b.now(), failure: a_failure() }).await;
    b.let_it_fall_due(f, claimed.id).await;
    let rescued = b.crash(f, claimed.id).await;
    assert_eq!((rescued.retried, rescued.dead), (0, 1));
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.crashes, job.attempt), (JobState::Dead, 1, 2));
    assert_eq!(job.error.expect("says why").code, "worker_lost");
}

/// A rescue shows on the job's timeline as the duty's doing.
pub async fn a_rescue_is_on_the_timeline(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    b.crash(f, id).await;
    let timeline = b.store.timeline(&tenant(), id).await.expect("reads");
    let step = timeline.last().expect("there is one");
    assert_eq!((step.from, step.to, step.run), (Some(JobState::Running), JobState::Waiting, 1));
    assert_eq!((step.actor.as_str(), step.waiting_for), ("duty:rescue", Some(WaitingFor::Retry)));
}

/// A pass is bounded by its limit, and the passes together rescue everything once. // I7
pub async fn rescuing_is_bounded_and_goes_on(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let jobs = b.queued_many(10).await;
    for pair in jobs.chunks(5) {
        assert_eq!(b.claim(b.worker().await, pair).await.len(), 5);
    }
    f.advance(LEASE_OVER);
    let mut passes = Vec::new();
    for _ in 0..10 {
        let rescued = b.store.rescue(4).await.expect("rescues");
        assert!(rescued.retried <= 4, "{rescued:?}");
        passes.push(rescued.retried);
    }
    assert_eq!(passes.iter().sum::<usize>(), 10, "{passes:?}");
    for id in jobs {
        assert_eq!((b.state(id).await, b.read(id).await.crashes), (JobState::Waiting, 1));
    }
}

/// Rescuers may run side by side: each crash is counted once. // I9
pub async fn concurrent_rescuers_count_a_crash_once(f: &mut dyn Fixture) {
    const CALLS: usize = 4;
    let b = Bench::new(f).await;
    let jobs = b.queued_many(20).await;
    b.claim(b.worker().await, &jobs).await;
    f.advance(LEASE_OVER);
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (store, barrier) = (Arc::clone(&b.store), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                store.rescue(100).await.expect("rescues").retried
            })
        })
        .collect();
    let mut retried = 0;
    for call in calls {
        retried += call.await.expect("no panic");
    }
    assert_eq!(retried + b.rescue().await.retried, 20);
    for job in b.store.jobs_by_id(&tenant(), &jobs).await.expect("reads") {
        assert_eq!((job.state, job.crashes, job.attempt), (JobState::Waiting, 1, 1));
    }
}

/// When a late settlement and the rescue meet, the job ends or is given back, never both. // I3
pub async fn a_settlement_races_a_rescue(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for _ in 0..20 {
        let (worker, claimed) = b.running().await;
        f.advance(LEASE_OVER);
        let (store, barrier) = (Arc::clone(&b.store), Arc::new(Barrier::new(2)));
        let (gate, end) = (Arc::clone(&barrier), settlement(&claimed, a_success()));
        let settling = tokio::spawn(async move {
            gate.wait().await;
            store.settle(worker, &[end]).await.expect("settles")
        });
        barrier.wait().await;
        let rescued = b.rescue().await;
        let settled = settling.await.expect("no panic");
        let job = b.read(claimed.id).await;
        if settled.lost.is_empty() {
            assert_eq!((job.state, job.crashes, rescued.retried), (JobState::Succeeded, 0, 0));
        } else {
            assert_eq!((job.state, job.crashes, rescued.retried), (JobState::Waiting, 1, 1));
        }
    }
}

/// A claim cannot slip behind its worker's rescue: either it is fenced, or what it took is rescued too.
pub async fn a_claim_does_not_slip_behind_its_rescue(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for _ in 0..20 {
        let (worker, id) = (b.worker().await, b.queued().await);
        f.advance(LEASE_FOR);
        let (store, claim, barrier) = (Arc::clone(&b.store), b.claim_of(worker, &[id]), Arc::new(Barrier::new(2)));
        let gate = Arc::clone(&barrier);
        let claiming = tokio::spawn(async move {
            gate.wait().await;
            store.claim(&claim).await
        });
        barrier.wait().await;
        b.rescue().await;
        let answer = claiming.await.expect("no panic");
        assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
        assert_eq!(b.state(id).await, JobState::Queued);
    }
}

/// A dead worker's claims are rescued in every pass, also those its first rescue did not see.
pub async fn a_dead_worker_stays_dead(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    assert!(matches!(b.renew(worker, &[claimed.claim]).await, Err(WorkError::Fenced)));
    let id = b.queued().await;
    assert!(matches!(b.store.claim(&b.claim_of(worker, &[id])).await, Err(WorkError::Fenced)));
    assert_eq!(b.store.running().await.expect("counts"), 0);
}

/// After a restart of an embedded store, what its predecessor ran is rescued at once; new workers are left alone.
pub async fn predecessors_are_buried_after_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let (old, claimed) = b.running().await;
    f.restart().await;
    b.reopen(f);
    let (new, held) = b.running().await;
    let buried = b.store.bury_predecessors().await.expect("buries");
    let rescued = b.rescue().await;
    if buried == 0 {
        assert_eq!(rescued, Rescued::default(), "an adapter that cannot know leaves it to the leases");
    } else {
        assert_eq!((buried, rescued.retried), (1, 1));
        let job = b.read(claimed.id).await;
        assert_eq!((job.state, job.run, job.worker), (JobState::Waiting, 1, None));
        assert!(matches!(b.renew(old, &[claimed.claim]).await, Err(WorkError::Fenced)));
    }
    b.renew(new, &[held.claim]).await.expect("the new worker lives");
    assert_eq!(b.store.bury_predecessors().await.expect("buries"), 0, "nobody is left to bury");
    b.end(new, &held, a_success()).await;
}

/// Rescue looks after the jobs of every tenant.
pub async fn every_tenants_jobs_are_rescued(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let tenants = [tenant(), TenantId::of("second"), TenantId::of("third")];
    let mut jobs = Vec::new();
    for tenant in &tenants {
        let job = NewJob { tenant: tenant.clone(), ..b.job() };
        jobs.push(job.id);
        b.enqueue(vec![job]).await;
    }
    assert_eq!(b.claim(worker, &jobs).await.iter().map(|job| job.tenant.clone()).collect::<Vec<_>>(), tenants);
    f.advance(LEASE_OVER + SECOND);
    assert_eq!(b.rescue().await.retried, 3);
    for (tenant, id) in tenants.iter().zip(&jobs) {
        assert_eq!(b.store.job(tenant, *id).await.expect("reads").expect("is there").state, JobState::Waiting);
    }
}
