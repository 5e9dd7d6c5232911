//! What happens when the host's clock is set to another time? Timers follow it, leases do not notice.

use store::contract::Fixture as _;
use store::contract::bench::Bench;
use store::contract::sample::{HOUR, LEASE_OVER, a_success};
use store::{Renewal, Reports as _, Rescued};

use crate::fixture::SqliteFixture;

const HOURS: i64 = 3_600;

#[tokio::test]
async fn no_healthy_worker_is_fenced() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, claimed) = b.running().await;
    for hours in [3, -7] {
        f.store.set_host_clock(hours * HOURS);
        let row = f.store.workers().await.expect("lists").remove(0);
        assert!(row.live && row.lease_until > b.now() && row.lease_until < b.now() + LEASE_OVER, "{} at {}", row.lease_until, b.now());
        assert_eq!(b.rescue().await, Rescued::default());
        let next = b.take(worker, b.queued().await).await;
        b.end(worker, &next, a_success()).await;
    }
    b.end(worker, &claimed, a_success()).await;
}

/// What started after a worker looked seems to have started before, when the clock was set back in between.
#[tokio::test]
async fn nobody_becomes_a_stranger() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, id) = (b.worker().await, b.queued().await);
    let renewal = Renewal { worker, as_of: b.now(), held: Vec::new(), progress: Vec::new(), marks: Vec::new(), ended: Vec::new() };
    f.store.set_host_clock(-HOURS);
    let claimed = b.take(worker, id).await;
    assert_eq!(b.store.renew(&renewal).await.expect("renews").handed_back, 0);
    b.end(worker, &claimed, a_success()).await;
}

#[tokio::test]
async fn no_dead_worker_lives_on() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    b.running().await;
    f.store.set_host_clock(-7 * HOURS);
    assert_eq!(b.rescue().await, Rescued::default());
    f.advance(LEASE_OVER);
    assert_eq!(b.rescue().await.retried, 1);
}

/// A clock that was ahead and was put right must not stand still until the world has caught up.
#[tokio::test]
async fn timers_come_due_after_a_correction() {
    let f = SqliteFixture::new().await;
    let b = Bench::new(&f).await;
    f.store.set_host_clock(9 * HOURS);
    b.queued().await;
    f.store.set_host_clock(-9 * HOURS);
    let id = b.waiting_until(b.now() + HOUR).await;
    f.advance(HOUR * 2);
    b.promote().await;
    assert_eq!(b.state(id).await, domain::JobState::Queued);
}
