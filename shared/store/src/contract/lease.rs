//! How does a worker stay alive, and what does each renewal tell it?

use domain::bounds::LEASE_FOR;
use domain::{ClaimId, JobState, NewJob, Progress, WorkerId};

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, SECOND, SLACK, a_failure, a_success, kind, kind_info, other_kind, other_queue, queue};
use crate::{End, Renewal, Renewed, Rescued, WorkError, WorkerRow};

async fn row(b: &Bench, worker: WorkerId) -> WorkerRow {
    let rows = b.store.workers().await.expect("lists");
    rows.into_iter().find(|row| row.id == worker).expect("the worker is listed")
}

/// Registering announces the worker with a fresh lease, as it introduced itself.
pub async fn a_registered_worker_is_listed_with_a_lease(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    let said = b.registration(&[kind()]);
    b.store.register(&said).await.expect("registers");
    let row = row(&b, said.id).await;
    assert_eq!((row.name, row.host, row.pid, row.slots, row.version), (said.name, said.host, said.pid, said.slots, said.version));
    assert!(
        row.live && row.lease_until + SLACK >= before + LEASE_FOR && row.lease_until <= b.now() + LEASE_FOR + SLACK,
        "{}",
        row.lease_until
    );
    assert_eq!(row.running, 0);
}

/// A renewal extends the lease from now, and a lease that is renewed in time never ends.
pub async fn a_renewal_extends_the_lease(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    for _ in 0..4 {
        f.advance(LEASE_FOR - SECOND);
        let before = b.now();
        assert_eq!(b.renew(worker, &[claimed.claim]).await.expect("is live"), Renewed::default());
        let until = row(&b, worker).await.lease_until;
        assert!(until + SLACK >= before + LEASE_FOR && until <= b.now() + LEASE_FOR + SLACK, "{until}");
    }
    assert_eq!(b.rescue().await.retried, 0);
    assert_eq!(row(&b, worker).await.running, 1);
}

/// A lease that is over, but that nobody acted on, can be renewed: the worker was only late. Its claims must wait for that. // I3
pub async fn a_lease_that_nobody_acted_on_can_be_renewed(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let next = b.queued().await;
    f.advance(LEASE_OVER);
    assert!(!row(&b, worker).await.live);
    assert!(matches!(b.store.claim(&b.claim_of(worker, &[next])).await, Err(WorkError::Fenced)));
    assert_eq!(b.renew(worker, &[claimed.claim]).await.expect("nobody acted on it"), Renewed::default());
    assert!(row(&b, worker).await.live);
    assert_eq!(b.rescue().await, Rescued::default());
    b.take(worker, next).await;
    b.end(worker, &claimed, a_success()).await;
}

/// A worker that was declared dead, that has retired or that never was cannot renew, and is listed as not live. // I3
pub async fn renewing_after_a_rescue_is_fenced(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (dead, retired) = (b.worker().await, b.worker().await);
    b.store.retire(retired).await.expect("retires");
    f.advance(LEASE_FOR);
    assert_eq!(b.rescue().await.workers, [dead]);
    for worker in [dead, dead, retired, b.mint.worker(b.now())] {
        let answer = b.renew(worker, &[]).await;
        assert!(matches!(answer, Err(WorkError::Fenced)), "{answer:?}");
    }
    assert!(!row(&b, dead).await.live && !row(&b, retired).await.live);
}

/// A fenced renewal changes nothing: no hand-back, no progress.
pub async fn a_fenced_renewal_writes_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.store.retire(worker).await.expect("retires");
    let half = Progress { percent: 50, message: None };
    f.advance(SECOND);
    let renewal = Renewal {
        worker,
        as_of: b.now(),
        held: Vec::new(),
        progress: vec![(claimed.id, claimed.run, half)],
        marks: Vec::new(),
        ended: Vec::new(),
    };
    assert!(matches!(b.store.renew(&renewal).await, Err(WorkError::Fenced)));
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.worker, job.progress), (JobState::Running, Some(worker), None));
}

/// Claims that a renewal does not name are strangers: their jobs are given back, attempt restored, run kept. // I3
pub async fn strangers_are_handed_back(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let jobs = b.queued_many(3).await;
    let lost = b.claim(worker, &jobs[..2]).await;
    let kept = b.take(worker, jobs[2]).await;
    let renewed = b.renew(worker, &[kept.claim]).await.expect("renews");
    assert_eq!((renewed.handed_back, renewed.cancels.as_slice(), renewed.drain), (2, [].as_slice(), false));
    for id in &jobs[..2] {
        let job = b.read(*id).await;
        assert_eq!((job.state, job.run, job.attempt, job.crashes, job.worker), (JobState::Waiting, 1, 0, 0, None));
    }
    assert_eq!(b.state(kept.id).await, JobState::Running);
    assert_eq!(b.store.adopt(worker, lost[0].claim).await.expect("looks"), [], "handed back is handed back");
    assert_eq!(b.settle(worker, &lost[0], a_success()).await.lost, [(lost[0].id, 1)]);
    b.let_it_fall_due(f, jobs[0]).await;
    let again = b.take(b.worker().await, jobs[0]).await;
    assert_eq!((again.run, again.attempt), (2, 1));
}

/// A stranger that somebody asked to cancel ends as cancelled.
pub async fn a_stranger_with_a_cancel_request_is_cancelled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.cancel(claimed.id).await.expect("asks");
    b.renew(worker, &[]).await.expect("renews");
    assert_eq!(b.state(claimed.id).await, JobState::Cancelled);
    assert_eq!(b.renew(worker, &[]).await.expect("renews"), Renewed::default(), "nothing is left to tell");
}

/// What started after the worker looked at what it holds is no stranger; a cancel of it is told all the same. // I3
pub async fn what_started_after_the_look_is_no_stranger(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, before) = b.running().await;
    f.advance(SECOND);
    let renewal = Renewal { worker, as_of: b.now(), held: vec![before.claim], progress: Vec::new(), marks: Vec::new(), ended: Vec::new() };
    f.advance(SECOND);
    let after = b.take(worker, b.queued().await).await;
    b.cancel(after.id).await.expect("asks");
    let renewed = b.store.renew(&renewal).await.expect("renews");
    assert_eq!(renewed, Renewed { cancels: vec![(after.id, after.run)], ..Renewed::default() });
    assert_eq!(b.state(after.id).await, JobState::Running);
    f.advance(SECOND);
    let later = Renewal { as_of: b.now(), ..renewal };
    b.store.renew(&later).await.expect("renews");
    assert_eq!(b.state(after.id).await, JobState::Cancelled, "by then it is one");
}

/// Claims named before they were made, or after they ended, are no error and hand nothing back.
pub async fn claims_in_flight_may_be_named(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let in_flight = b.claim_of(worker, &[b.queued().await]);
    let held: [ClaimId; 2] = [claimed.claim, in_flight.id];
    assert_eq!(b.renew(worker, &held).await.expect("renews"), Renewed::default());
    b.store.claim(&in_flight).await.expect("claims");
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(b.renew(worker, &held).await.expect("renews"), Renewed::default());
    assert_eq!(b.store.running().await.expect("counts"), 1);
}

/// A renewal hands back the worker's own strangers only.
pub async fn another_workers_claims_are_no_strangers(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, claimed) = b.running().await;
    let other = b.worker().await;
    assert_eq!(b.renew(other, &[]).await.expect("renews").handed_back, 0);
    assert_eq!(b.state(claimed.id).await, JobState::Running);
}

/// Cancel requests are told with every renewal until the job has ended, to the worker that runs it.
pub async fn renewals_tell_of_cancels(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let other = b.worker().await;
    b.cancel(claimed.id).await.expect("asks");
    for _ in 0..2 {
        let renewed = b.renew(worker, &[claimed.claim]).await.expect("renews");
        assert_eq!(renewed.cancels, [(claimed.id, claimed.run)]);
    }
    assert_eq!(b.renew(other, &[]).await.expect("renews").cancels, []);
    b.end(worker, &claimed, End::Cancelled).await;
    assert_eq!(b.renew(worker, &[]).await.expect("renews").cancels, []);
}

/// Progress comes with renewals and shows; that of another run does not.
pub async fn renewals_carry_progress(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let at = |percent| Progress { percent, message: Some(format!("{percent} of 100")) };
    let renewal = |run, percent| Renewal {
        worker,
        as_of: b.now(),
        held: vec![claimed.claim],
        progress: vec![(claimed.id, run, at(percent))],
        marks: Vec::new(),
        ended: Vec::new(),
    };
    b.store.renew(&renewal(1, 40)).await.expect("renews");
    assert_eq!(b.read(claimed.id).await.progress, Some(at(40)));
    b.store.renew(&renewal(2, 80)).await.expect("renews");
    assert_eq!(b.read(claimed.id).await.progress, Some(at(40)));
    let other = b.worker().await;
    b.store.renew(&Renewal { worker: other, held: Vec::new(), ..renewal(1, 90) }).await.expect("renews");
    assert_eq!(b.read(claimed.id).await.progress, Some(at(40)), "another worker's word");
}

/// What a retired worker still runs is rescued, without waiting for its lease.
pub async fn a_retired_workers_jobs_are_rescued(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.store.retire(worker).await.expect("retires");
    b.rescue().await;
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.run, job.worker), (JobState::Waiting, 1, None));
    b.store.retire(worker).await.expect("twice is no error");
}

/// Every kind that any worker ever registered is known, as it was registered last.
pub async fn kinds_are_known_from_their_workers(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(b.store.kinds().await.expect("lists"), []);
    let worker = b.worker_for(&[kind(), other_kind()]).await;
    b.store.retire(worker).await.expect("retires");
    let mut newer = b.registration(&[kind()]);
    newer.kinds[0].schema = r#"{"type":"object","required":["to"]}"#.into();
    b.store.register(&newer).await.expect("registers");
    let mut kinds = b.store.kinds().await.expect("lists");
    kinds.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(kinds, [newer.kinds[0].clone(), kind_info(other_kind(), other_queue())]);
    assert_eq!(kinds[0].queue, queue());
}

/// A worker's row counts what it runs now.
pub async fn workers_count_what_they_run(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (busy, idle) = (b.worker().await, b.worker().await);
    let jobs = b.queued_many(3).await;
    let claimed = b.claim(busy, &jobs).await;
    b.end(busy, &claimed[0], a_success()).await;
    b.end(busy, &claimed[1], End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    assert_eq!((row(&b, busy).await.running, row(&b, idle).await.running), (1, 0));
    assert_eq!(b.store.running().await.expect("counts"), 1);
}

/// Leases and what runs under them outlast the death of the process that wrote them.
pub async fn leases_survive_a_restart(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(NewJob { max_attempts: 1, ..b.job() }).await;
    f.restart().await;
    b.reopen(f);
    assert_eq!(b.state(claimed.id).await, JobState::Running);
    assert_eq!(b.renew(worker, &[claimed.claim]).await.expect("the lease is live"), Renewed::default());
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(b.state(claimed.id).await, JobState::Succeeded);
}
