//! May any number of schedulers run at once?

use std::sync::Arc;

use domain::{Act, JobFilter, JobId, JobState, NewJob, NewOperation, Target, TenantId};
use scheduler::{Parts, Predecessors};
use store::{Actor, Reports, Steering, Store};
use testkit::eventually;

use crate::bench::Bench;
use crate::remote::RemoteBroker;
use crate::running::{LONG, Running};

/// What the broker was told of, in order.
fn listed(broker: &RemoteBroker) -> Vec<JobId> {
    let mut ids: Vec<JobId> = broker.published.lock().iter().flat_map(|emission| emission.jobs.clone()).collect();
    ids.sort_unstable();
    ids
}

fn two(bench: &Bench, broker: &Arc<RemoteBroker>) -> [Running; 2] {
    [(), ()].map(|()| Running::start(Parts { broker: Arc::clone(broker) as _, ..bench.parts() }, Predecessors::Buried))
}

/// I9, I16: each job is queued once and listed once, whoever promoted it.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_promote_without_doubling() {
    let bench = Bench::new().await;
    let broker = RemoteBroker::with_room(usize::MAX);
    let start = bench.store.now();
    // Due one after the other, so that both have many passes to meet in.
    let at = |n: u32| start + std::time::Duration::from_millis(200) + n * std::time::Duration::from_micros(300);
    let jobs: Vec<NewJob> = (0..1_000).map(|n| NewJob { run_at: Some(at(n)), ..bench.job() }).collect();
    let ids = bench.enqueue(jobs).await;
    let running = two(&bench, &broker);

    eventually("all are listed", LONG, async || {
        let count = listed(&broker).len();
        if count >= ids.len() { Ok(()) } else { Err(format!("{count} are")) }
    })
    .await;
    let items = |what: &str| running.iter().map(|one| one.items("promote", what)).collect::<Vec<_>>();
    eventually("both have counted", LONG, async || items("promoted").iter().sum::<u64>() >= 1_000).await;
    let (promoted, noise) = (items("promoted"), items("noise"));
    for one in running {
        one.stop().await;
    }
    assert_eq!(listed(&broker), ids, "once each");
    assert_eq!((promoted.iter().sum::<u64>(), noise), (1_000, vec![0, 0]));
    for id in [ids[0], ids[500], ids[999]] {
        let steps = bench.store.timeline(&TenantId::of("default"), id).await.expect("read");
        assert_eq!(steps.iter().filter(|step| step.to == JobState::Queued).count(), 1, "{steps:?}");
    }
}

/// I9, I3: the jobs of a dead worker are given back once, though two look for them.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_rescue_once() {
    let bench = Bench::new().await;
    let broker = RemoteBroker::with_room(usize::MAX);
    let ids = bench.enqueue((0..200).map(|_| bench.job()).collect()).await;
    let worker = bench.worker().await;
    assert_eq!(bench.claim(worker, &ids).await.len(), 200);
    bench.store.shift_clock(domain::bounds::LEASE_FOR);
    let running = two(&bench, &broker);
    eventually("all are listed", LONG, async || listed(&broker).len() >= ids.len()).await;
    for one in running {
        one.stop().await;
    }
    assert_eq!(listed(&broker), ids, "once each");
    for id in ids {
        let job = bench.get(id).await.expect("kept");
        assert_eq!((job.attempt, job.crashes, job.state), (1, 1, JobState::Queued));
    }
}

/// I9, I16: an operation that two carry on is done to each job once, and each job is listed once.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_carry_on_an_operation_without_doubling() {
    let bench = Bench::new().await;
    let broker = RemoteBroker::with_room(usize::MAX);
    let later = bench.store.now() + std::time::Duration::from_secs(3_600);
    let jobs: Vec<NewJob> = (0..3_000).map(|_| NewJob { run_at: Some(later), ..bench.job() }).collect();
    let ids = bench.enqueue(jobs).await;
    let by = Actor { tenant: TenantId::of("default"), name: "ops".to_owned(), request_id: "req-1".to_owned() };
    let new = NewOperation {
        id: bench.mint.operation(bench.store.now()),
        act: Act::RunNow,
        target: Target::Jobs(JobFilter::default()),
        reason: "test".to_owned(),
        canary: None,
    };
    bench.store.operation_begin(&by, &new).await.expect("begins");
    let running = two(&bench, &broker);
    let operation = eventually("the operation is over", LONG, async || {
        let operation = bench.store.operation(&by.tenant, new.id).await.expect("reads").expect("it was begun");
        if operation.state.is_over() { Ok(operation) } else { Err(format!("{operation:?}")) }
    })
    .await;
    let queued = || running.iter().map(|one| one.items("operate", "queued")).sum::<u64>();
    eventually("both have counted", LONG, async || queued() >= 3_000).await;
    for one in running {
        one.stop().await;
    }
    assert_eq!((operation.looked_at, operation.done, operation.skipped), (3_000, 3_000, 0));
    assert_eq!(listed(&broker), ids, "once each");
}
