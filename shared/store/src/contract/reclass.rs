//! Does the ledger follow a job into another class, and what else operators do to it?

use domain::{Act, JobFilter, Priority, Target};

use super::Fixture;
use super::bench::Bench;
use super::ledger::{all_unconfirmed, by_id, emitted, ledger, outstanding};
use super::sample::{HOUR, PLENTY, SECOND, class_at, listed, operator};
use crate::Claim;

/// The row of the new class lists the job, and only it: that of the old class is no reason to send it there again. // I16
pub async fn a_moved_job_has_a_row_of_its_new_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, old) = emitted(&b, b.job()).await;
    let moved = b.store.reprioritize(&operator(), id, Priority::High, None).await.expect("moves").emissions;
    assert_eq!(listed(&moved), [id]);
    let unconfirmed = all_unconfirmed(f).await;
    assert_eq!(unconfirmed, moved, "the old row is gone, or lists nothing");
    assert_eq!(unconfirmed[0].class, class_at(Priority::High));
    let worker = b.worker().await;
    let noise = Claim { hints: vec![old], ..b.claim_of(worker, &[id]) };
    assert_eq!(b.store.claim(&noise).await.expect("claims").jobs, []);
    assert_eq!(outstanding(f).await, (1, 0), "a claim by its old hint leaves the new row");
    let claim = Claim { hints: vec![moved[0].id], ..b.claim_in(&class_at(Priority::High), worker, &[id]) };
    assert_eq!(b.store.claim(&claim).await.expect("claims").jobs.len(), 1);
    assert_eq!(outstanding(f).await, (0, 0));
}

/// Those that shared a row with it stay listed in their class.
pub async fn those_that_stay_keep_their_row(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(3).await;
    let moved = b.store.reprioritize(&operator(), ids[1], Priority::Low, None).await.expect("moves").emissions;
    let unconfirmed = all_unconfirmed(f).await;
    let by_class = |priority| unconfirmed.iter().filter(move |emission| emission.class == class_at(priority)).cloned().collect::<Vec<_>>();
    // A row is sent again as it was: what it still says of the moved one is noise.
    let stayed = listed(&by_class(Priority::Normal));
    assert_eq!(stayed.into_iter().filter(|id| *id != ids[1]).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_eq!(by_class(Priority::Low), moved);
}

/// The rows of jobs that an operator puts off are not sent again; those that run now have theirs. // I16
pub async fn what_is_put_off_is_not_sent_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = emitted(&b, b.job()).await;
    b.store.reschedule(&operator(), id, b.now() + HOUR, None).await.expect("puts off");
    assert_eq!(all_unconfirmed(f).await, []);
    let told = b.store.run_now(&operator(), id, None).await.expect("queues").emissions;
    assert_eq!((listed(&told), all_unconfirmed(f).await), (vec![id], told));
}

/// What an operation queues is in the ledger, exactly as its steps said. // I16
pub async fn what_an_operation_queues_has_its_rows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.queued_many(40).await;
    for _ in 0..3 {
        b.waiting_until(b.now() + HOUR).await;
    }
    all_unconfirmed(f).await;
    let all = || Target::Jobs(JobFilter::default());
    b.begin(&b.operation(Act::Reprioritize { priority: Priority::Critical }, all())).await;
    let steps = b.steps(25).await;
    let told: Vec<_> = steps.into_iter().flat_map(|step| step.emissions).collect();
    assert_eq!(listed(&told).len(), 40);
    f.advance(SECOND);
    assert_eq!(by_id(all_unconfirmed(f).await), by_id(told));
    b.carry_out(Act::Cancel, all()).await;
    assert_eq!(all_unconfirmed(f).await, []);
    assert_eq!(ledger(f).unconfirmed(PLENTY).await.expect("takes up"), []);
}
