//! What if an end of an effect is still on its way to its row when the job's next run asks about it? What is told to one is told to both.

use std::time::Duration;

use domain::EffectState;
use sqlx::Executor as _;
use sqlx::postgres::PgConnection;
use store::contract::sample::{HOUR, LEASE_OVER};
use store::{EffectCall, EffectEnd};
use testkit::{eventually, within};

use crate::racing::two;

const LONG: Duration = Duration::from_secs(30);

/// How many of our statements wait for a lock.
async fn waiting(watcher: &mut PgConnection) -> i64 {
    let count = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(count).fetch_one(watcher).await.expect("counted")
}

/// An end that was recorded is never followed by a run that does not know of it. // I6
#[tokio::test]
async fn an_end_that_comes_late_is_known_to_the_next_run_or_not_recorded() {
    needs_postgres!();
    let two = two().await;
    let (mut blocker, mut watcher) = (two.f.database.connect().await, two.f.database.connect().await);
    let (worker, claimed) = two.a.running().await;
    let call = EffectCall { worker, job: claimed.id, run: claimed.run, name: "deliver".to_owned(), key: claimed.stable_key() };
    assert_eq!(two.a.store.effect_begin(&call).await.expect("begins"), EffectState::Intent);

    blocker.execute("begin; select 1 from effect for update").await.expect("locked");
    let (store, late) = (two.a.store.clone(), call.clone());
    let ending = tokio::spawn(async move { store.effect_end(&late, &EffectEnd::Confirmed { handle: "made".to_owned() }).await });
    eventually("the end waits for the effect's row", LONG, async || waiting(&mut watcher).await == 1).await;

    two.advance(LEASE_OVER);
    let rescued = two.b.rescue().await;
    let mut next = None;
    if rescued.retried > 0 {
        // The job has moved on, so its next run asks while the end still waits.
        two.advance(HOUR);
        two.b.promote().await;
        let worker = two.b.worker().await;
        let again = two.b.take(worker, claimed.id).await;
        let (store, call) = (two.b.store.clone(), EffectCall { worker, run: again.run, ..call.clone() });
        next = Some(tokio::spawn(async move { store.effect_begin(&call).await }));
        eventually("the next run asks", LONG, async || waiting(&mut watcher).await == 2).await;
    }
    blocker.execute("commit").await.expect("released");
    let ended = within("the end", LONG, ending).await.expect("no panic");
    let told = match next {
        Some(next) => within("the next run's question", LONG, next).await.expect("no panic"),
        None => {
            assert_eq!(two.b.rescue().await.retried, 1, "it was only put off");
            two.advance(HOUR);
            two.b.promote().await;
            let worker = two.b.worker().await;
            let again = two.b.take(worker, claimed.id).await;
            two.b.store.effect_begin(&EffectCall { worker, run: again.run, ..call }).await
        }
    };
    let told = told.expect("begins");
    let is_known = told == EffectState::Confirmed { handle: "made".to_owned() };
    assert!(ended.is_err() || is_known, "the end was recorded, and the next run was told {told:?}");
    two.assert_sound().await;
}
