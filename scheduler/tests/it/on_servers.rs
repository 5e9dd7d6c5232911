//! Do duties, ledger and broker keep in step on real servers?

use std::collections::BTreeSet;

use broker::Delivery;
use coordination::Nudge;
use domain::{Act, Failure, FailureClass, JobFilter, JobId, NewOperation, Priority, Target, TenantId};
use serde_json::json;
use store::{Actor, End, Outstanding};
use testkit::eventually;
use testkit::servers::HOW;

use crate::servers::{OnServers, SOON, hinted, ids, rows};

/// I1, I16: hints that never left are sent from the ledger, and each confirmation is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_sent_is_sent_from_the_ledger() {
    let bench = match OnServers::new().await {
        Ok(bench) => bench,
        Err(missing) => testkit::skip!(missing, HOW),
    };
    let jobs = bench.enqueue(500).await;
    bench.make_due().await;
    let (one, other) = (bench.start(), bench.start());
    bench.all_confirmed(500).await;
    let hints = bench.subscribe().await;
    let mut delivered = bench.drain(&*hints, 500).await;
    delivered.sort_unstable();
    assert_eq!(delivered, jobs, "once each, with two schedulers");
    assert_eq!(bench.outstanding().await, Outstanding::default(), "claims have emptied the ledger");
    one.stop().await;
    other.stop().await;
    assert!(bench.engine.close().await);
}

/// I1, I16: queues that are gone with all they held: exactly what is still queued comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_queue_held_is_sent_again() {
    let bench = match OnServers::new().await {
        Ok(bench) => bench,
        Err(missing) => testkit::skip!(missing, HOW),
    };
    let jobs: BTreeSet<JobId> = bench.enqueue(300).await.into_iter().collect();
    bench.make_due().await;
    let running = bench.start();
    bench.all_confirmed(300).await;
    let hints = bench.subscribe().await;
    let claimed: BTreeSet<JobId> = bench.drain(&*hints, 100).await.into_iter().collect();
    hints.close();
    drop(hints);
    for priority in Priority::ALL {
        assert!(bench.vhost.delete_queue(&format!("flotilla.v1.test.p{}", priority.code())).await);
    }
    bench.vhost.close_all_connections().await;
    let hints = bench.subscribe().await;
    let left: BTreeSet<JobId> = jobs.difference(&claimed).copied().collect();
    let delivered: BTreeSet<JobId> = bench.drain(&*hints, left.len()).await.into_iter().collect();
    assert_eq!(delivered, left, "exactly what is still queued");
    assert_eq!(bench.outstanding().await, Outstanding::default());
    running.stop().await;
    assert!(bench.engine.close().await);
}

/// A stranger's message shows, and healthy hints beside it are sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_recorded() {
    let bench = match OnServers::new().await {
        Ok(bench) => bench,
        Err(missing) => testkit::skip!(missing, HOW),
    };
    let running = bench.start();
    let hints = bench.subscribe().await;
    assert!(bench.vhost.publish_raw("", "flotilla.v1.test.p2", b"{\"not\": \"ours\"}", json!({"message_id": "theirs"})).await);
    let row = eventually("the stranger's message shows", SOON, async || bench.ledger().poison(10).await.expect("read").pop()).await;
    assert_eq!((row.message.queue.as_str(), row.message.reason.as_str()), ("flotilla.v1.test.p2", "unparsable"));
    assert_eq!((row.message.message_id.as_deref(), &*row.message.sample), (Some("theirs"), &b"{\"not\": \"ours\"}"[..]));
    let shown = || bench.engine.metrics.poison_messages.with_label_values(&["unparsable"]).get();
    eventually("it is counted", SOON, async || shown() == 1).await;

    let jobs = bench.enqueue(1).await;
    bench.make_due().await;
    bench.engine.nudges.nudge(Nudge::Emissions);
    let first = hinted(&*hints, 1).await;
    let row = rows(&first);
    bench.all_confirmed(1).await;
    first.into_iter().for_each(Delivery::dead_letter);
    let again = hinted(&*hints, 1).await;
    assert_eq!((ids(&again), rows(&again)), (jobs.into_iter().collect(), row), "the same message once more");
    let worker = bench.worker().await;
    for delivery in again {
        assert_eq!(bench.claim(worker, delivery).await.len(), 1);
    }
    assert_eq!(bench.ledger().poison(10).await.expect("read").len(), 1, "a hint is no poison");
    let waiting = async || bench.vhost.queue("flotilla.v1.dead_recorder").await.and_then(|queue| queue.messages);
    eventually("nothing waits to be recorded", SOON, async || waiting().await == Some(0)).await;
    running.stop().await;
    assert!(bench.engine.close().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deaths_are_announced() {
    let bench = match OnServers::new().await {
        Ok(bench) => bench,
        Err(missing) => testkit::skip!(missing, HOW),
    };
    let jobs = bench.enqueue(3).await;
    bench.make_due().await;
    let running = bench.start();
    let hints = bench.subscribe().await;
    let failure = Failure::new(FailureClass::Permanent, "gone", "it is gone");
    let taken = hinted(&*hints, 3).await;
    let worker = bench.worker().await;
    for delivery in taken {
        let claimed = bench.claim(worker, delivery).await;
        bench.settle(worker, &claimed, &End::Dead { failure: failure.clone() }).await;
    }
    eventually("all are announced", SOON, async || {
        let left = bench.ledger().unannounced(10).await.expect("read").len();
        if left == 0 { Ok(()) } else { Err(format!("{left} are not: {:?}", running.status("announce"))) }
    })
    .await;
    let messages = bench.vhost.get("flotilla.v1.dead.test", 10).await;
    let told: BTreeSet<String> =
        messages.iter().filter_map(|message| message.properties["message_id"].as_str()).map(str::to_owned).collect();
    assert_eq!(told, jobs.iter().map(|job| format!("{job}.1")).collect());
    assert_eq!((messages.len(), &messages[0].properties["headers"]["attempts"]), (3, &json!(1)));
    running.ran("stats", 1).await;
    assert_eq!(bench.engine.metrics.emissions.with_label_values(&["confirmed"]).get(), 0);
    assert!(bench.engine.metrics.partitions_ahead.with_label_values::<&str>(&[]).get() >= 3);
    running.stop().await;
    assert!(bench.engine.close().await);
}

/// I9, I16: jobs that an operation moves come in their new class, once each with two schedulers, and nothing is left of the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_moves_jobs_into_another_class() {
    let bench = match OnServers::new().await {
        Ok(bench) => bench,
        Err(missing) => testkit::skip!(missing, HOW),
    };
    let jobs = bench.enqueue(1_200).await;
    let by = Actor { tenant: TenantId::of("default"), name: "ops".to_owned(), request_id: "req-1".to_owned() };
    let id = bench.engine.mint.operation((bench.engine.clock)());
    let act = Act::Reprioritize { priority: Priority::Critical };
    let new = NewOperation { id, act, target: Target::Jobs(JobFilter::default()), reason: "test".to_owned(), canary: None };
    let (one, other) = (bench.start(), bench.start());
    bench.engine.store.operation_begin(&by, &new).await.expect("begins");
    bench.engine.nudges.nudge(Nudge::Operations);
    let operation = eventually("the operation is over", SOON, async || {
        let operation = bench.engine.store.operation(&by.tenant, id).await.expect("reads").expect("it was begun");
        if operation.state.is_over() { Ok(operation) } else { Err(format!("{operation:?}")) }
    })
    .await;
    assert_eq!((operation.done, operation.skipped), (1_200, 0));
    let hints = bench.subscribe().await;
    bench.drain(&*hints, jobs.len()).await;
    let read = bench.engine.store.jobs_by_id(&by.tenant, &jobs).await.expect("reads");
    assert!(read.iter().all(|job| job.priority == Priority::Critical && job.run == 1), "each ran once, in its new class");
    bench.make_due().await;
    eventually("the rows of the old class are gone", SOON, async || {
        let outstanding = bench.outstanding().await;
        if outstanding == Outstanding::default() { Ok(()) } else { Err(format!("{outstanding:?}")) }
    })
    .await;
    one.stop().await;
    other.stop().await;
    assert!(bench.engine.close().await);
}
