//! A hint comes back to the broker until it gives it up: it is no poison. It is sent anew, and its job runs.

use testkit::{eventually, within};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::hints::{CLASS_QUEUE, jobs_in};
use chaos::stage::Stage;

const JOBS: usize = 3;
/// More often than a quorum queue delivers a message before it gives it up (`x-delivery-limit`).
const RETURNS: usize = 25;

/// I16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_that_came_back_too_often_is_sent_anew_and_its_job_runs() {
    let servers = fresh_servers!();
    if testkit::servers::queue_type() == "classic" {
        testkit::skip!("quorum queues", "classic queues do not count deliveries");
    }
    let (database, vhost) = (&servers.database, &servers.vhost);
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    // It makes the kind known, and goes before anything can be taken.
    stage.fleet.worker(1).await.stop().await;
    let jobs = stage.submit(JOBS, 0).await;
    let unconfirmed = "select count(*) from emission where published_at is null";
    eventually("the broker has them", SOON, async || database.count(unconfirmed).await == 0).await;

    let hints = async || stage.scheduler.metric_of("flotilla_duty_items_total", "what=\"hints\"").await;
    let returning = async {
        // Taken and given back, as by a worker that dies each time before it claims.
        for _ in 0..RETURNS {
            vhost.peek(CLASS_QUEUE, JOBS).await;
        }
    };
    within("it is given back again and again", SOON, returning).await;
    eventually("the broker gave all of them up, and they were found healthy", SOON, async || {
        let found = hints().await;
        if found >= JOBS as f64 { Ok(()) } else { Err(format!("{found}\n{}", stage.scheduler.said())) }
    })
    .await;
    eventually("they are in their queue again", SOON, async || {
        let held = vhost.peek(CLASS_QUEUE, 2 * JOBS).await;
        let held: std::collections::BTreeSet<String> = held.iter().flat_map(|message| jobs_in(&message.body)).collect();
        if held == jobs { Ok(()) } else { Err(format!("{held:?}\n{}", stage.scheduler.said())) }
    })
    .await;
    assert_eq!(database.count("select count(*) from poison").await, 0, "a healthy hint is no poison");
    let worker = stage.fleet.worker(10).await;
    stage.done_once(database, JOBS, SOON).await;
    assert_eq!(stage.scheduler.metric("flotilla_poison_messages_total").await, 0.0);
    stage.stop([worker]).await;
}
