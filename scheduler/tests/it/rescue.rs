//! Do the jobs of dead workers run again, and only theirs?

use domain::JobState;
use domain::bounds::LEASE_FOR;
use scheduler::Predecessors;
use store::Upkeep;

use crate::bench::{Bench, hinted};

/// I3: a lease decides, and the rescued job is given to the next worker under a new run.
#[tokio::test]
async fn the_jobs_of_a_worker_without_a_lease_run_again() {
    let bench = Bench::new().await;
    let hints = bench.listen().await;
    let ids = bench.enqueue(vec![bench.job(), bench.job()]).await;
    let (dead, first) = (bench.worker().await, &ids[..1]);
    assert_eq!(bench.claim(dead, first).await.len(), 1);
    bench.store.shift_clock(LEASE_FOR);
    let live = bench.worker().await;
    assert_eq!(bench.claim(live, &ids[1..]).await.len(), 1);
    let running = bench.start(Predecessors::Buried);

    // It waits a second for its crash, is promoted, and hinted.
    assert_eq!(hinted(&*hints, 10).await, first);
    let job = bench.reaches(ids[0], JobState::Queued).await;
    assert_eq!((job.attempt, job.crashes, job.worker), (1, 1, None), "a crash costs the attempt");
    let claimed = bench.claim(live, first).await;
    assert_eq!(claimed.iter().map(|claimed| (claimed.run, claimed.attempt)).collect::<Vec<_>>(), [(2, 2)]);
    let untouched = bench.get(ids[1]).await.expect("kept");
    assert_eq!((untouched.state, untouched.run, untouched.worker), (JobState::Running, 1, Some(live)));
    assert_eq!((running.items("rescue", "workers"), running.items("rescue", "retried")), (1, 1));
    assert_eq!(running.items("resend", "sent"), 0, "nothing had to be found");
    running.stop().await;
}

/// A start that holds the store alone waits for no lease: the first pass gives back what the killed process ran.
#[tokio::test]
async fn the_jobs_of_a_killed_process_are_given_back_in_the_first_pass() {
    let mut bench = Bench::new().await;
    let ids = bench.enqueue(vec![bench.job()]).await;
    let worker = bench.worker().await;
    bench.claim(worker, &ids).await;
    bench.crash_and_reopen().await;
    let running = bench.start(Predecessors::Buried);
    running.ran("rescue", 1).await;
    let job = bench.get(ids[0]).await.expect("kept");
    assert_eq!((job.crashes, job.worker), (1, None), "{job:?}");
    running.stop().await;
}

/// I9: two passes in a row do no more than one.
#[tokio::test]
async fn a_second_pass_finds_nothing_to_do() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(vec![bench.job()]).await;
    let worker = bench.worker().await;
    bench.claim(worker, &ids).await;
    bench.store.shift_clock(LEASE_FOR);
    let running = bench.start(Predecessors::Buried);
    running.ran("rescue", 2).await;
    running.stop().await;
    assert_eq!(bench.store.rescue(10).await.expect("looked").retried, 0);
    let job = bench.get(ids[0]).await.expect("kept");
    assert_eq!((job.attempt, job.crashes), (1, 1), "rescued once");
}
