//! What does asking for a cancel do? It wins over every end but success, whoever brings that end.

use std::sync::Arc;

use domain::{JobState, NewJob, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, SECOND, a_death, a_failure, a_success, class, no_worker, operator, outsider, rate_limit, tenant};
use crate::{ActError, End, Until};

/// A queued or waiting job is cancelled at once; its hints and timers are noise afterwards.
pub async fn a_job_that_does_not_run_is_cancelled_at_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (queued, waiting) = (b.queued().await, b.waiting_until(b.now() + HOUR).await);
    for id in [queued, waiting] {
        let said = b.cancel(id).await.expect("cancels");
        assert_eq!((said.job.id, said.job.state, said.emissions.as_slice()), (id, JobState::Cancelled, [].as_slice()));
        assert!(said.job.finished_at.is_some());
        assert_eq!(b.read(id).await, said.job);
    }
    f.advance(HOUR + SECOND);
    assert_eq!(b.promote().await.promoted, 0);
    assert_eq!(b.claim(b.worker().await, &[queued, waiting]).await, []);
}

/// Of a running job the request is recorded; asking again is no error.
pub async fn a_running_job_is_asked_to_stop(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    for _ in 0..2 {
        let said = b.cancel(claimed.id).await.expect("asks").job;
        assert_eq!((said.state, said.cancel_requested, said.worker, said.run), (JobState::Running, true, Some(worker), 1));
    }
    b.end(worker, &claimed, End::Cancelled).await;
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.worker, job.finished_at.is_some()), (JobState::Cancelled, None, true));
}

/// Success wins over a cancel: what is done is done.
pub async fn success_wins_over_a_cancel(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.cancel(claimed.id).await.expect("asks");
    b.end(worker, &claimed, a_success()).await;
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.result.is_some()), (JobState::Succeeded, true));
}

/// Every settled end but success becomes `cancelled` when that was asked for, deferrals included.
pub async fn a_cancel_wins_over_every_other_end(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let ends = [
        a_death(),
        End::Retry { at, failure: a_failure() },
        End::Deferred { until: Until::Time { at, reason: WaitingFor::RateLimit }, failure: None },
        End::Deferred { until: no_worker(), failure: None },
        End::Deferred { until: rate_limit(), failure: Some(a_failure()) },
        End::Cancelled,
    ];
    for end in ends {
        let (worker, claimed) = b.running().await;
        b.cancel(claimed.id).await.expect("asks");
        let settled = b.end(worker, &claimed, end.clone()).await;
        assert_eq!(settled.next_timer, None, "{end:?}");
        let job = b.read(claimed.id).await;
        assert_eq!((job.state, job.waiting_for, job.worker), (JobState::Cancelled, None, None), "{end:?}");
        assert!(job.finished_at.is_some(), "{end:?}");
    }
    f.advance(HOUR + SECOND);
    assert_eq!((b.promote().await.promoted, b.release().await), (0, vec![]));
}

/// A cancel wins over a rescue as well.
pub async fn a_cancel_wins_over_a_rescue(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, claimed) = b.running().await;
    b.cancel(claimed.id).await.expect("asks");
    f.advance(LEASE_OVER);
    let rescued = b.rescue().await;
    assert_eq!((rescued.retried, rescued.dead, rescued.cancelled), (0, 0, 1));
    assert_eq!(b.state(claimed.id).await, JobState::Cancelled);
}

/// A parked job is cancelled like any other, and nothing frees it afterwards.
pub async fn a_parked_job_is_cancelled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    assert_eq!(b.store.park(&class(), &[id], &no_worker()).await.expect("parks"), 1);
    assert_eq!(b.cancel(id).await.expect("cancels").job.state, JobState::Cancelled);
    b.worker().await;
    assert_eq!(b.release().await, []);
    assert_eq!(b.state(id).await, JobState::Cancelled);
}

/// A job that has ended cannot be cancelled, and stays as it is. // I2
pub async fn an_ended_job_cannot_be_cancelled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for end in [a_success(), a_death(), End::Cancelled] {
        let (worker, claimed) = b.running().await;
        b.end(worker, &claimed, end).await;
        let before = b.read(claimed.id).await;
        let answer = b.cancel(claimed.id).await;
        assert!(matches!(answer, Err(ActError::Illegal(state)) if state == before.state), "{answer:?}");
        assert_eq!(b.read(claimed.id).await, before);
    }
}

/// An unknown job, or another tenant's, does not exist for a cancel. // I17
pub async fn a_foreign_job_cannot_be_cancelled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    assert!(matches!(b.store.cancel(&outsider(), id, None).await, Err(ActError::NotFound)));
    assert!(matches!(b.cancel(b.mint.job(b.now())).await, Err(ActError::NotFound)));
    assert_eq!(b.state(id).await, JobState::Queued);
}

/// A cancel leaves its audit row and its timeline entry, with who and why. // I12
pub async fn a_cancel_is_on_record(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    b.cancel(id).await.expect("cancels");
    let audit = b.audit(&tenant()).await;
    let rows: Vec<_> = audit.iter().filter(|row| row.target == id.to_string()).collect();
    assert_eq!(rows.len(), 1, "{audit:?}");
    assert_eq!((rows[0].action.as_str(), rows[0].request_id.as_str()), ("job.cancel", "req-1"));
    assert!(rows[0].actor.contains(&operator().name) && rows[0].tenant == tenant(), "{:?}", rows[0]);
    assert!(rows[0].data.as_ref().is_some_and(|data| data.contains("not needed")), "{:?}", rows[0]);
    let timeline = b.store.timeline(&tenant(), id).await.expect("reads");
    let step = timeline.last().expect("there is one");
    assert_eq!((step.from, step.to, step.run), (Some(JobState::Queued), JobState::Cancelled, 0));
    assert!(step.actor.contains(&operator().name), "{step:?}");
    assert!(step.data.as_ref().is_some_and(|data| data.contains("not needed")), "{step:?}");
}

/// A cancel that comes together with a claim either comes first, or is honoured by the run.
pub async fn a_cancel_races_a_claim(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for _ in 0..20 {
        let id = b.queued().await;
        let (store, claim, barrier) = (Arc::clone(&b.store), b.claim_of(worker, &[id]), Arc::new(Barrier::new(2)));
        let gate = Arc::clone(&barrier);
        let claiming = tokio::spawn(async move {
            gate.wait().await;
            store.claim(&claim).await.expect("claims").jobs
        });
        barrier.wait().await;
        let said = b.cancel(id).await.expect("is live").job;
        let claimed = claiming.await.expect("no panic");
        match claimed.first() {
            None => assert_eq!(said.state, JobState::Cancelled),
            Some(held) => {
                assert_eq!((said.state, said.cancel_requested), (JobState::Running, true));
                b.end(worker, held, a_death()).await;
            }
        }
        assert_eq!(b.state(id).await, JobState::Cancelled);
    }
}

/// A cancel that comes together with the end of the run either finds it ended, or wins over all but success.
pub async fn a_cancel_races_a_settlement(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for round in 0..20 {
        let (worker, claimed) = b.running_of(NewJob { max_attempts: 1, ..b.job() }).await;
        let end = if round % 2 == 0 { a_success() } else { a_death() };
        let natural = if round % 2 == 0 { JobState::Succeeded } else { JobState::Dead };
        let (store, barrier) = (Arc::clone(&b.store), Arc::new(Barrier::new(2)));
        let (gate, settlement) = (Arc::clone(&barrier), super::bench::settlement(&claimed, end));
        let settling = tokio::spawn(async move {
            gate.wait().await;
            store.settle(worker, &[settlement]).await.expect("settles")
        });
        barrier.wait().await;
        let asked = b.cancel(claimed.id).await;
        assert_eq!(settling.await.expect("no panic").lost, []);
        let expected = match asked {
            Ok(said) if natural == JobState::Dead => {
                assert_eq!(said.job.state, JobState::Running);
                JobState::Cancelled
            }
            Ok(_) => natural,
            Err(ActError::Illegal(found)) => found,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(b.state(claimed.id).await, expected);
        assert!(expected == natural || expected == JobState::Cancelled, "{expected}");
    }
}
