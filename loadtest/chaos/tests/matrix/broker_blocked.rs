//! The broker is out of memory and takes nothing: jobs are accepted all the same, wait in the store and not in the producer, and run when
//! it takes messages again.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually, within};
use tokio::time::Instant;

use chaos::fleet::SOON;
use chaos::orders::plain;
use chaos::stage::Stage;
use chaos::{measured, own_broker};

const ROW: &str = "broker blocked";
const BATCH: usize = 500;
/// Batches until memory has taken its shape, and those by which it must not grow.
const WARM: usize = 6;
const BATCHES: usize = 40;
/// For 20 000 jobs: a producer that kept their emissions would need several times as much.
const GROWTH_MAX: u64 = 6 * 1024 * 1024;
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intake_goes_on_with_flat_memory_while_the_broker_takes_nothing() {
    let servers = own_broker!();
    let stage = Stage::on(&servers.urls()).await;
    let worker = stage.fleet.chaos_worker(100, &[]).await;
    let first = stage.order(&vec![plain(0); BATCH]).await;
    let done = "select count(*) from job where state = 3";
    eventually("all is well", SOON, async || servers.database.count(done).await == first.len() as u64).await;

    servers.rabbit.ctl(&["set_vm_memory_high_watermark", "0.0001"]).await;
    // The broker says that it is blocked when something is sent to it.
    let mut jobs = first.len();
    let batch: Vec<Value> = vec![plain(0); BATCH];
    let submit = async || {
        let body = json!({ "jobs": batch }).to_string();
        let answer = within("an answer", ANSWERED_WITHIN, stage.client.post_text("/v1/jobs/batch", body, None)).await.expect("accepted");
        assert_eq!(answer.status, 202);
        BATCH
    };
    eventually("readiness shows the alarm", SOON, async || {
        jobs += submit().await;
        let trouble = stage.producer.trouble_with("broker").await;
        trouble.filter(|trouble| trouble.contains("alarm")).ok_or_else(|| stage.producer.said())
    })
    .await;
    let shown = async || stage.producer.metric_of("flotilla_broker_state", "state=\"blocked\"").await;
    eventually("metrics show it", SOON, async || shown().await >= 1.0).await;
    for _ in 0..WARM {
        jobs += submit().await;
    }
    let (before, since) = (stage.producer.memory(), Instant::now());
    for _ in 0..BATCHES {
        jobs += submit().await;
    }
    let (after, took) = (stage.producer.memory(), since.elapsed());
    measured(ROW, &format!("20000 jobs accepted while blocked, memory from {before} to {after} bytes"), took);
    assert!(after.saturating_sub(before) <= GROWTH_MAX, "the producer grew from {before} to {after} bytes");
    let waiting = "select count(*) from job where state = 1";
    let unsent = "select coalesce(sum(cardinality(job_ids)), 0) from emission where published_at is null";
    let (queued, unsent) = (servers.database.count(waiting).await, servers.database.count(unsent).await);
    assert!(queued >= (BATCHES * BATCH) as u64, "{queued} wait");
    assert_eq!(unsent, queued, "what waits is in the ledger, and known to be unsent");

    servers.rabbit.ctl(&["set_vm_memory_high_watermark", "0.6"]).await;
    let freed_at = Instant::now();
    let started = servers.database.count(done).await;
    eventually("the first of them has run", SOON, async || servers.database.count(done).await > started).await;
    measured(ROW, "from the end of the alarm to the first job that ended", freed_at.elapsed());
    eventually("all have run", DRAINED_WITHIN, async || {
        let ended = servers.database.count(done).await;
        if ended == jobs as u64 { Ok(()) } else { Err(format!("{ended} of {jobs}\n{}", stage.scheduler.said())) }
    })
    .await;
    measured(ROW, "from the end of the alarm until all that waited had run", freed_at.elapsed());
    assert_eq!(servers.database.count("select sum(run) from job").await, jobs as u64, "each once");
    assert_eq!(servers.database.count("select count(*) from emission").await, 0, "the ledger is empty");
    stage.stop([worker]).await;
}
