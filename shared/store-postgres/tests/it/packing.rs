//! How many jobs go into one broker message? As many as the pace of their queue allows, and one while nobody knows it.

use std::time::Duration;

use domain::{ClassMark, NewJob, Pace, Priority, WorkerId};
use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{LEASE_OVER, class, kind, other_queue, queue};
use store::{Claim, Ledger as _, Renewal};
use testkit::eventually;

use crate::fixture::PostgresFixture;

/// The store looks every two seconds.
const LONG: Duration = Duration::from_secs(20);

/// What ended lately: ten jobs, each of which took `mean`.
async fn have_run(f: &PostgresFixture, b: &Bench, mean: Duration) {
    let mut connection = f.database.connect().await;
    let stat = "insert into job_rate (bucket, queue, prio, kind, writer, succeeded, run_us) values ($1, 'mail', 2, 'mail.send', gen_random_uuid(), 10, $2)
        on conflict do nothing";
    let sum = i64::try_from(mean.as_micros() * 10).expect("small");
    sqlx::query("delete from job_rate").execute(&mut connection).await.expect("forgets");
    sqlx::query(stat).bind(b.now().micros()).bind(sum).execute(&mut connection).await.expect("counts");
}

async fn worker(b: &Bench, slots: u32) -> WorkerId {
    let registration = store::WorkerRegistration { slots, ..b.registration(&[kind()]) };
    b.store.register(&registration).await.expect("registers");
    registration.id
}

/// What a worker is told of the pace of the queue.
async fn pace(b: &Bench, worker: WorkerId) -> Option<Pace> {
    let marks = vec![ClassMark { class: class(), claimed_until: None, held_since: None }];
    let renewal = Renewal { worker, as_of: b.now(), held: Vec::new(), progress: Vec::new(), marks, ended: Vec::new() };
    b.store.renew(&renewal).await.expect("renews").paces.pop()
}

async fn pace_is(b: &Bench, worker: WorkerId, mean: Duration, slots: u32) {
    let wanted = Some(Pace { queue: queue(), mean: Some(mean), slots });
    eventually("the pace is known", LONG, async || (pace(b, worker).await == wanted).then_some(())).await;
}

async fn sizes(b: &Bench, count: usize) -> Vec<usize> {
    let jobs = (0..count).map(|_| b.job()).collect();
    b.enqueue(jobs).await.emissions.iter().map(|emission| emission.jobs.len()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_packed_by_the_pace_of_their_queue() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    assert_eq!(sizes(&b, 3).await, [1, 1, 1], "nothing is known");
    let large = worker(&b, 1_000).await;
    have_run(&f, &b, Duration::from_micros(100)).await;
    pace_is(&b, large, Duration::from_micros(100), 1_000).await;
    assert_eq!(sizes(&b, 70).await, [32, 32, 6]);
    let elsewhere = (0..3).map(|_| NewJob { queue: other_queue(), ..b.job() }).collect();
    assert_eq!(b.enqueue(elsewhere).await.emissions.len(), 3, "what is known of one queue says nothing of another");
    let mixed = vec![b.job(), NewJob { priority: Priority::High, ..b.job() }, b.job()];
    assert_eq!(b.enqueue(mixed).await.emissions.len(), 2, "a message is of one class");
    have_run(&f, &b, Duration::from_millis(100)).await;
    pace_is(&b, large, Duration::from_millis(100), 1_000).await;
    assert_eq!(sizes(&b, 25).await, [10, 10, 5]);
    worker(&b, 10).await;
    pace_is(&b, large, Duration::from_millis(100), 10).await;
    assert_eq!(sizes(&b, 5).await, [2, 2, 1], "a quarter of the smallest worker's slots");
    f.advance(LEASE_OVER);
    assert_eq!(sizes(&b, 5).await, [2, 2, 1], "a fleet that is being restarted is still that fleet");
    f.advance(Duration::from_secs(400));
    eventually("nothing is known of late", LONG, async || sizes(&b, 2).await == [1, 1]).await;
    assert_eq!(f.violations().await, Vec::<String>::new());
}

/// A message of which some jobs are gone is sent again with all of them; the claim takes what is there, and the row with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packed_row_lives_as_long_as_one_of_its_jobs_is_queued() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let worker = worker(&b, 1_000).await;
    have_run(&f, &b, Duration::from_millis(300)).await;
    pace_is(&b, worker, Duration::from_millis(300), 1_000).await;
    let packed = b.enqueue((0..3).map(|_| b.job()).collect()).await.emissions.remove(0);
    assert_eq!(packed.jobs.len(), 3);
    b.cancel(packed.jobs[0]).await.expect("cancels");
    b.claim(worker, &packed.jobs[1..2]).await;
    f.advance(Duration::from_secs(6));
    assert_eq!(f.store.unconfirmed(10).await.expect("takes up"), std::slice::from_ref(&packed));
    let claim = Claim { hints: vec![packed.id], ..b.claim_of(worker, &packed.jobs) };
    let taken = b.store.claim(&claim).await.expect("claims").jobs;
    assert_eq!(taken.iter().map(|job| job.id).collect::<Vec<_>>(), packed.jobs[2..]);
    assert_eq!(f.store.outstanding().await.expect("counts").unconfirmed, 0);
    assert_eq!(f.violations().await, Vec::<String>::new());
}
