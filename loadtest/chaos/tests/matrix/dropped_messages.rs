//! The broker drops one message in a hundred and says nothing: the ledger knows what is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::{eventually, within};
use tokio::time::interval;

use chaos::fleet::Urls;
use chaos::hints::{CLASS_QUEUE, jobs_in};
use chaos::stage::Stage;
use chaos::{fresh_servers, measured};

const JOBS: usize = 2_000;
const DROPPED: usize = JOBS / 100;
/// Each worker is busy for so long that messages wait.
const LATE_MS: u32 = 50;
const STEAL_EVERY: Duration = Duration::from_millis(50);
/// From the loss (queue-core, failure matrix).
const FOUND_WITHIN: Duration = Duration::from_secs(90);

/// I16: what the broker must be holding and does not is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_drops_silently_is_found_and_sent_again() {
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    // It makes the kind known, and goes before anything can be taken.
    stage.fleet.worker(1).await.stop().await;
    stage.submit(JOBS, LATE_MS).await;
    let unconfirmed = "select count(*) from emission where published_at is null";
    eventually("the broker has confirmed everything", FOUND_WITHIN, async || servers.database.count(unconfirmed).await == 0).await;
    let workers = [stage.fleet.worker(10).await, stage.fleet.worker(10).await];

    let stealing = async {
        let (mut stolen, mut tries) = (BTreeMap::new(), interval(STEAL_EVERY));
        while stolen.len() < DROPPED {
            tries.tick().await;
            let taken = servers.vhost.get(CLASS_QUEUE, 1).await;
            let at = servers.database.count("select flotilla_now()").await;
            stolen.extend(taken.iter().flat_map(|message| jobs_in(&message.body)).map(|job| (job, at)));
        }
        stolen
    };
    let stolen = within("messages are stolen", FOUND_WITHIN, stealing).await;
    let names: Vec<String> = stolen.keys().map(|id| format!("'{id}'")).collect();
    let waiting = format!("select count(*) from job where state = 1 and run = 0 and id in ({})", names.join(", "));
    assert!(servers.database.count(&waiting).await > 0, "what was stolen had not run");
    let left = servers.database.count("select count(*) from job where state < 3").await;
    assert!(left > DROPPED as u64, "messages were stolen while the workers were busy");

    stage.done_once(&servers.database, JOBS, FOUND_WITHIN).await;
    let started = format!("select id, started_at from job where id in ({})", names.join(", "));
    let late = |row: &Vec<String>| row[1].parse::<u64>().expect("microseconds").saturating_sub(stolen[&row[0]]);
    let latest = servers.database.ask(&started).await.iter().map(late).max().expect("some were stolen");
    measured("1 % of messages dropped", "from the loss to the start of the last of them", Duration::from_micros(latest));
    assert!(Duration::from_micros(latest) <= FOUND_WITHIN, "one of them waited for {latest} us");
    assert_eq!(servers.database.count("select count(*) from emission").await, 0, "the ledger is empty");
    stage.stop(workers).await;
}
