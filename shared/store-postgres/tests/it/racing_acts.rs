//! What do two processes do to each other when people act on jobs? Nothing is done twice, and whatever wins is whole.

use domain::bounds::OPERATION_STEP_JOBS;
use domain::{Act, JobFilter, JobId, JobState, NewOperation, OperationState, Priority, Target};
use store::contract::sample::{HOUR, PLENTY, SECOND, class, class_at, listed, operator, tenant};
use store::{ActError, Ledger as _, Overview as _, Store, Upkeep as _};

use crate::racing::{ROUNDS, Two, at_once, two};

fn operation(two: &Two, act: Act, target: Target) -> NewOperation {
    NewOperation { id: two.a.mint.operation(two.a.now()), act, target, reason: "why not".to_owned(), canary: None }
}

/// Steps until nobody has anything to do; what was emitted.
async fn to_its_end(store: std::sync::Arc<dyn Store>, limit: usize) -> Vec<domain::Emission> {
    let mut emissions = Vec::new();
    while let Some(step) = store.operation_step(limit).await.expect("goes on") {
        emissions.extend(step.emissions);
    }
    emissions
}

/// Steps of two schedulers on several operations: each job is acted on once, the counts add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steppers_share_the_work_out() {
    needs_postgres!();
    let two = two().await;
    for _ in 0..5 {
        let later: Vec<_> = (0..90).map(|_| domain::NewJob { run_at: Some(two.a.now() + HOUR), ..two.a.job() }).collect();
        let ids: Vec<JobId> = later.iter().map(|job| job.id).collect();
        two.a.enqueue(later).await;
        let mut begun = Vec::new();
        for half in ids.chunks(45) {
            let new = operation(&two, Act::RunNow, Target::Ids(half.to_vec()));
            two.a.store.operation_begin(&operator(), &new).await.expect("begins");
            begun.push(new.id);
        }
        let (one, other) = at_once(to_its_end(two.a.store.clone(), 7), to_its_end(two.b.store.clone(), 7)).await;
        assert_eq!(listed(&[one, other].concat()), ids, "each once");
        // One of them may have found the other at work on the last one.
        to_its_end(two.a.store.clone(), OPERATION_STEP_JOBS).await;
        for id in begun {
            let after = two.b.store.operation(&tenant(), id).await.expect("reads").expect("is there");
            assert_eq!((after.state, after.looked_at, after.done), (OperationState::Succeeded, 45, 45), "{after:?}");
        }
    }
    two.assert_sound().await;
}

/// A job is moved into another class while it is claimed: it runs once, or it is listed in its new class.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_races_another_class() {
    needs_postgres!();
    let two = two().await;
    let worker = two.a.worker().await;
    let (mut claimed, mut moved) = (0, 0);
    for round in 0..ROUNDS {
        let id = two.a.queued().await;
        let (store, claim, other) = (two.a.store.clone(), two.a.claim_of(worker, &[id]), two.b.store.clone());
        let (taken, steered) = at_once(async move { store.claim(&claim).await.expect("claims").jobs.len() }, async move {
            other.reprioritize(&operator(), id, Priority::High, None).await
        })
        .await;
        match (taken, steered) {
            (1, Err(ActError::Illegal(JobState::Running))) => claimed += 1,
            (0, Ok(replay)) => {
                moved += 1;
                assert_eq!((listed(&replay.emissions), &replay.emissions[0].class), (vec![id], &class_at(Priority::High)), "round {round}");
                let high = two.a.claim_in(&class_at(Priority::High), worker, &[id]);
                assert_eq!(two.a.store.claim(&high).await.expect("claims").jobs.len(), 1, "round {round}");
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert_eq!(claimed + moved, ROUNDS);
    two.assert_sound().await;
}

/// What falls due at the moment at which somebody queues it is queued once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_now_races_the_promoter() {
    needs_postgres!();
    let two = two().await;
    for round in 0..ROUNDS {
        let id = two.a.waiting_until(two.a.now() + SECOND).await;
        two.advance(SECOND * 2);
        let (promoter, other) = (two.f.store.clone(), two.b.store.clone());
        let (promoted, told) = at_once(async move { promoter.promote(PLENTY).await.expect("promotes").emissions }, async move {
            other.run_now(&operator(), id, None).await.expect("it is queued either way").emissions
        })
        .await;
        assert_eq!(listed(&[promoted, told].concat()), [id], "round {round}");
        two.a.take(two.a.worker().await, id).await;
    }
    two.assert_sound().await;
}

/// Two people act on the same jobs in opposite order: nobody waits for ever, and each act is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_on_the_same_jobs_do_not_block_each_other() {
    needs_postgres!();
    let two = two().await;
    for _ in 0..10 {
        let ids = two.a.queued_many(60).await;
        let step = |store: std::sync::Arc<dyn Store>| to_its_end(store, PLENTY);
        for act in [Act::Reprioritize { priority: Priority::High }, Act::Cancel] {
            let new = operation(&two, act, Target::Jobs(JobFilter { state: Some(JobState::Queued), ..JobFilter::default() }));
            two.a.store.operation_begin(&operator(), &new).await.expect("begins");
        }
        at_once(step(two.a.store.clone()), step(two.b.store.clone())).await;
        to_its_end(two.a.store.clone(), PLENTY).await;
        for id in ids {
            assert_eq!(two.a.state(id).await, JobState::Cancelled);
        }
    }
    two.assert_sound().await;
}

/// The old ledger row of a job that was moved lists nothing any more, the new one does, and the figures know the new class. // I16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_and_the_figures_follow_into_another_class() {
    needs_postgres!();
    let two = two().await;
    let id = two.a.queued().await;
    two.a.store.reprioritize(&operator(), id, Priority::High, None).await.expect("moves");
    two.advance(std::time::Duration::from_secs(61));
    let due = two.other.unconfirmed(PLENTY).await.expect("takes up");
    assert_eq!(
        due.iter().map(|emission| (&emission.class, &emission.jobs[..])).collect::<Vec<_>>(),
        [(&class_at(Priority::High), &[id][..])]
    );
    assert_eq!(two.other.outstanding().await.expect("counts").unconfirmed, 1, "the old row is gone");
    let worker = two.a.worker().await;
    assert!(two.a.store.claim(&two.a.claim_in(&class(), worker, &[id])).await.expect("claims").jobs.is_empty());
    let high = two.a.claim_in(&class_at(Priority::High), worker, &[id]);
    let claimed = two.a.store.claim(&high).await.expect("claims").jobs.remove(0);
    let since = two.a.now() - SECOND * 120;
    two.a.end(worker, &claimed, store::contract::sample::a_success()).await;
    let figures = two.other.throughput(since).await.expect("reads");
    assert_eq!(figures.iter().map(|one| (one.priority, one.succeeded)).collect::<Vec<_>>(), [(Priority::High, 1)]);
    two.assert_sound().await;
}
