//! What if the same end is told twice, because the reply to the first telling was lost? It counts once.

use std::sync::Arc;

use domain::{JobState, NewJob, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::{Bench, settlement};
use super::ending::with_callback;
use super::sample::{HOUR, LEASE_OVER, SECOND, a_death, a_failure, a_success, callback_kind, rate_limit, tenant};
use crate::{End, Until};

/// A settlement repeated because its reply was lost is this worker's own: settled, not lost, and counted once.
pub async fn a_repeated_settlement_counts_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let ends = [
        a_success(),
        a_death(),
        End::Retry { at, failure: a_failure() },
        End::Deferred { until: Until::Time { at, reason: WaitingFor::Budget }, failure: None },
        End::Deferred { until: rate_limit(), failure: None },
    ];
    for end in ends {
        let (worker, claimed) = b.running().await;
        b.end(worker, &claimed, end.clone()).await;
        let before = b.read(claimed.id).await;
        let again = b.end(worker, &claimed, end.clone()).await;
        assert_eq!(again.emissions, [], "{end:?}");
        assert_eq!(b.read(claimed.id).await, before, "{end:?}");
    }
    f.advance(HOUR + SECOND);
    assert_eq!(b.promote().await.promoted, 2, "one timer for the retry, one for the deferral");
}

/// The same settlement twice in one call counts once.
pub async fn a_settlement_doubled_in_one_call_counts_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for (end, state) in [(a_success(), JobState::Succeeded), (a_death(), JobState::Dead)] {
        let (worker, claimed) = b.running_of(with_callback(b.job())).await;
        let doubled = [settlement(&claimed, end.clone()), settlement(&claimed, end)];
        let settled = b.store.settle(worker, &doubled).await.expect("settles");
        assert_eq!((settled.lost.as_slice(), settled.emissions.len()), ([].as_slice(), 1));
        assert_eq!(b.state(claimed.id).await, state);
    }
}

/// A repeated settlement that became `cancelled` the first time is settled as well.
pub async fn a_repeated_settlement_of_a_cancelled_job_counts_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for end in [End::Cancelled, a_death(), End::Retry { at: b.now() + HOUR, failure: a_failure() }] {
        let (worker, claimed) = b.running().await;
        b.cancel(claimed.id).await.expect("asks");
        b.end(worker, &claimed, end.clone()).await;
        let before = b.read(claimed.id).await;
        assert_eq!(before.state, JobState::Cancelled, "{end:?}");
        b.end(worker, &claimed, end).await;
        assert_eq!(b.read(claimed.id).await, before);
    }
}

/// Only the same run's settlement is a repetition: one of a later run that ended otherwise is lost. // I3
pub async fn a_settlement_of_another_run_is_no_repetition(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, first) = b.running_of(NewJob { max_attempts: 9, ..b.job() }).await;
    let retry = End::Retry { at: b.now(), failure: a_failure() };
    b.end(worker, &first, retry.clone()).await;
    b.let_it_fall_due(f, first.id).await;
    let second = b.take(worker, first.id).await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    assert_eq!(b.settle(worker, &second, retry).await.lost, [(first.id, 2)]);
}

/// Once a job has ended, no other settlement of the same run changes it. // I2
pub async fn the_first_end_stays(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_success()).await;
    let before = b.read(claimed.id).await;
    for end in [a_death(), End::Cancelled, End::Retry { at: b.now(), failure: a_failure() }] {
        b.settle(worker, &claimed, end).await;
        assert_eq!(b.read(claimed.id).await, before);
    }
}

/// The same settlement from many sides at once counts once.
pub async fn concurrent_settlements_count_once(f: &mut dyn Fixture) {
    const CALLS: usize = 8;
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(with_callback(b.job())).await;
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (store, barrier, end) = (Arc::clone(&b.store), Arc::clone(&barrier), settlement(&claimed, a_success()));
            tokio::spawn(async move {
                barrier.wait().await;
                store.settle(worker, &[end]).await.expect("settles")
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic").lost, []);
    }
    let told = b.jobs(domain::JobFilter { kind: Some(callback_kind()), ..Default::default() }).await;
    assert_eq!((b.state(claimed.id).await, told.len()), (JobState::Succeeded, 1));
}

/// A repetition says nothing new: what the first kept of logs and output stays.
pub async fn a_repetition_leaves_the_logs_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let told = |text: &str| crate::Settlement { output: Some(text.to_owned()), ..settlement(&claimed, a_success()) };
    b.store.settle(worker, &[told("first"), told("doubled")]).await.expect("settles");
    b.store.settle(worker, &[told("again")]).await.expect("settles");
    let logs = b.store.logs(&tenant(), claimed.id).await.expect("reads");
    assert_eq!(logs.iter().map(|log| log.output.as_deref()).collect::<Vec<_>>(), [Some("first")]);
}
