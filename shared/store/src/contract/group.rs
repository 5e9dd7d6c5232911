//! What do calls that come at the same time do to each other? Nothing: they share a commit, never a failure.

use std::sync::Arc;

use domain::{JobId, NewJob};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::sample::{idempotency, listed, sorted, tenant};
use crate::{EffectCall, EffectEnd, EnqueueError};

/// Submissions that come at the same time all succeed, and a bad one among them fails alone.
pub async fn concurrent_submissions_succeed_and_a_bad_one_fails_alone(f: &mut dyn Fixture) {
    const CALLS: usize = 24;
    let b = Bench::new(f).await;
    b.put(NewJob { idempotency: idempotency("used", 1), ..b.job() }).await;
    let barrier = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|n| {
            let bad = n % 6 == 5;
            let last = if bad { NewJob { idempotency: idempotency("used", 2), ..b.job() } } else { b.job() };
            let (jobs, store, barrier) = (vec![b.job(), last], Arc::clone(&b.store), Arc::clone(&barrier));
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let call = tokio::spawn(async move {
                barrier.wait().await;
                store.enqueue(jobs).await
            });
            (bad, ids, call)
        })
        .collect();
    for (bad, ids, call) in calls {
        let answer = call.await.expect("no panic");
        let recorded = b.store.jobs_by_id(&tenant(), &ids).await.expect("reads").len();
        if bad {
            assert!(matches!(answer, Err(EnqueueError::KeyReused { index: 1 })), "{answer:?}");
            assert_eq!(recorded, 0, "nothing of the bad call");
        } else {
            assert_eq!(listed(&answer.expect("succeeds").emissions), sorted(&ids), "each call gets its own emissions");
            assert_eq!(recorded, 2);
        }
    }
}

/// A call that breaks a rule of the store fails alone, whoever shared its commit.
pub async fn a_broken_call_fails_alone(f: &mut dyn Fixture) {
    const CALLS: usize = 12;
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let run = claimed.run;
    let barrier = Arc::new(Barrier::new(CALLS * 2));
    let mut calls = Vec::new();
    for n in 0..CALLS {
        let call = EffectCall { worker, job: claimed.id, run, name: format!("never-begun-{n}"), key: claimed.stable_key() };
        let (store, gate) = (Arc::clone(&b.store), Arc::clone(&barrier));
        let broken = tokio::spawn(async move {
            gate.wait().await;
            // What the store says to this is its own affair; whom it says it to is not.
            drop(store.effect_end(&call, &EffectEnd::Failed).await);
        });
        let (jobs, store, gate) = (vec![b.job(), b.job()], Arc::clone(&b.store), Arc::clone(&barrier));
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let sound = tokio::spawn(async move {
            gate.wait().await;
            store.enqueue(jobs).await
        });
        calls.push((broken, ids, sound));
    }
    for (broken, ids, sound) in calls {
        broken.await.expect("no panic");
        let answer = sound.await.expect("no panic").expect("a neighbour's fault is not ours");
        assert_eq!(listed(&answer.emissions), sorted(&ids));
        assert_eq!(b.store.jobs_by_id(&tenant(), &ids).await.expect("reads").len(), 2);
    }
}

/// A call whose future is dropped happened whole or not at all.
pub async fn a_dropped_submission_is_whole_or_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut batches = Vec::new();
    for round in 0..40 {
        let batch: Vec<NewJob> = (0..5).map(|_| b.job()).collect();
        batches.push(batch.iter().map(|job| job.id).collect::<Vec<_>>());
        let store = Arc::clone(&b.store);
        let call = tokio::spawn(async move { store.enqueue(batch).await });
        for _ in 0..round % 8 {
            tokio::task::yield_now().await;
        }
        call.abort();
        drop(call.await);
        b.queued().await;
    }
    for ids in batches {
        let recorded = b.store.jobs_by_id(&tenant(), &ids).await.expect("reads").len();
        assert!(recorded == 0 || recorded == ids.len(), "half of a batch: {recorded} of {}", ids.len());
    }
}
