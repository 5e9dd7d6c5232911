//! Leases: a worker that is given up for dead stops by itself and goes on under a new id.

use domain::JobState;
use domain::bounds::LEASE_FOR;
use store::{Reports, Upkeep};

use crate::fleet::Fleet;
use crate::player::SOON;
use crate::script::Step;

/// I3: rescued while it ran. The first run's end does not count, the second's does, and the worker has a new id.
#[tokio::test]
async fn a_fenced_worker_aborts_and_goes_on_under_a_new_id() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::Wait, Step::Succeed])).await;
    fleet.log.started(id, 1).await;
    let first = fleet.store.workers().await.expect("read").first().expect("one worker").id;
    fleet.store.shift_clock(LEASE_FOR * 2);
    let rescued = fleet.store.rescue(100).await.expect("rescued");
    assert_eq!((rescued.workers, rescued.retried), (vec![first], 1));
    let job = testkit::eventually("the rescued job succeeds", SOON, async || {
        fleet.store.shift_clock(std::time::Duration::from_secs(1));
        fleet.promote().await;
        Some(fleet.get(id).await).filter(|job| job.state == JobState::Succeeded)
    })
    .await;
    assert_eq!((job.run, job.crashes), (2, 1));
    let live = fleet.store.workers().await.expect("read");
    assert!(live.iter().any(|worker| worker.live && worker.id != first), "{live:?}");
    assert!(worker.stop().await.clean);
}
