//! Somebody deletes queues of the broker while jobs wait in them: they are made anew, and exactly what is still queued is sent again.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::eventually;
use testkit::servers::{Database, Vhost};
use tokio::time::Instant;

use chaos::fleet::{SOON, Urls};
use chaos::hints::{CLASS_QUEUE, jobs_in};
use chaos::stage::Stage;
use chaos::{fresh_servers, measured};

const ROW: &str = "deleted queue";
const JOBS: usize = 1_000;
/// Schedulers look every 15 s whether the queues are there.
const BACK_WITHIN: Duration = Duration::from_secs(45);
/// Workers are told by the broker.
const BACK_UNDER_LOAD_WITHIN: Duration = Duration::from_secs(15);

async fn now(database: &Database) -> u64 {
    database.count("select flotilla_now()").await
}

/// Waits until the broker has confirmed whatever the ledger lists, and since then.
async fn is_sent(database: &Database, since: u64, by: Duration) {
    let question = format!("select count(*) from emission where published_at is null or published_at < {since}");
    eventually("everything in the ledger is sent and confirmed", by, async || match database.count(&question).await {
        0 => Ok(()),
        open => Err(format!("{open} rows of the ledger are not")),
    })
    .await;
}

/// The jobs whose hints the class queue holds.
async fn held(vhost: &Vhost) -> BTreeSet<String> {
    vhost.peek(CLASS_QUEUE, 2 * JOBS).await.iter().flat_map(|message| jobs_in(&message.body)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_comes_back_with_what_is_still_queued() {
    let servers = fresh_servers!();
    let (database, vhost) = (&servers.database, &servers.vhost);
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    // It makes the kind known, and goes before anything can be taken.
    stage.fleet.worker(1).await.stop().await;
    let queued = stage.submit(JOBS, 20).await;
    is_sent(database, 0, SOON).await;

    // Nobody consumes: only a look can show it.
    let deleted_at = (now(database).await, Instant::now());
    assert!(vhost.delete_queue(CLASS_QUEUE).await);
    is_sent(database, deleted_at.0, BACK_WITHIN).await;
    measured(ROW, "without workers: until all is sent again", deleted_at.1.elapsed());
    let held = held(vhost).await;
    assert!(held == queued, "{} jobs are queued, the broker has hints of {}", queued.len(), held.len());
    let rows = database.count("select count(*) from emission").await;
    eventually("each once", SOON, async || vhost.queue(CLASS_QUEUE).await.and_then(|queue| queue.messages) == Some(rows)).await;

    // Under workers.
    let workers = [stage.fleet.worker(10).await, stage.fleet.worker(10).await];
    eventually("the workers drain", SOON, async || stage.judge.count() >= JOBS / 10).await;
    let deleted_at = (now(database).await, Instant::now());
    assert!(vhost.delete_queue(CLASS_QUEUE).await);
    let before = stage.judge.count();
    assert!(before < JOBS, "the queue was deleted while jobs were in it");
    is_sent(database, deleted_at.0, BACK_UNDER_LOAD_WITHIN).await;
    measured(ROW, "under workers: until all is sent again", deleted_at.1.elapsed());
    stage.done_once(database, JOBS, SOON * 2).await;
    assert_eq!(database.count("select count(*) from emission").await, 0, "the ledger is empty");
    stage.stop(workers).await;
}
