//! Is what the broker has lost found - that, and nothing else?

use std::time::Duration;

use domain::bounds::RECONCILE_AFTER;
use domain::{Class, ClassMark, Doubt, EmissionId, JobId, NewJob, Priority, Timestamp, Unsent, WorkerId};

use super::Fixture;
use super::bench::Bench;
use super::ledger::{emitted, ledger, outstanding};
use super::sample::{LEASE_OVER, PLENTY, SECOND, class, class_at, listed};
use crate::{Reconciled, Renewal};

/// Takes in a job whose emission the broker confirmed, published now.
async fn published(f: &dyn Fixture, b: &Bench, job: NewJob) -> (JobId, EmissionId) {
    let (id, emission) = emitted(b, job).await;
    ledger(f).sent(&[(emission, b.now())]).await.expect("confirms");
    (id, emission)
}

/// A renewal in which the worker tells how far it has come in one class.
async fn mark(b: &Bench, worker: WorkerId, class: Class, claimed_until: Option<Timestamp>, held_since: Option<Timestamp>) {
    marks(b, worker, vec![ClassMark { class, claimed_until, held_since }]).await;
}

async fn marks(b: &Bench, worker: WorkerId, marks: Vec<ClassMark>) {
    let renewal = Renewal { worker, as_of: b.now(), held: Vec::new(), progress: Vec::new(), marks, ended: Vec::new() };
    b.store.renew(&renewal).await.expect("renews");
}

/// A worker that has told, and told again, that it has claimed all that was published until `until`.
async fn passed(b: &Bench, class: &Class, until: Timestamp, held_since: Option<Timestamp>) -> WorkerId {
    let worker = b.worker().await;
    for _ in 0..2 {
        mark(b, worker, class.clone(), Some(until), held_since).await;
    }
    worker
}

async fn reconcile(f: &dyn Fixture) -> (usize, usize) {
    let Reconciled { unsent, settled } = ledger(f).reconcile(PLENTY).await.expect("reconciles");
    (unsent, settled)
}

/// What is to be sent at once.
async fn due(f: &dyn Fixture) -> Vec<JobId> {
    listed(&ledger(f).unconfirmed(PLENTY).await.expect("takes up"))
}

async fn unsent(f: &dyn Fixture, what: Unsent) -> usize {
    ledger(f).unsent(&what, PLENTY).await.expect("doubts")
}

/// A message that came back is unconfirmed again, and due without a wait. What is unknown or unconfirmed is left as it is.
pub async fn what_came_back_is_sent_again_at_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, emission) = published(f, &b, b.job()).await;
    published(f, &b, b.job()).await;
    let (_, fresh) = emitted(&b, b.job()).await;
    let back = Unsent::Emissions(vec![emission, fresh, b.mint.emission(b.now())]);
    assert_eq!(unsent(f, back.clone()).await, 1);
    assert_eq!(unsent(f, back).await, 0, "twice is once");
    assert_eq!(outstanding(f).await, (2, 1));
    assert_eq!(due(f).await, [id]);
}

/// When a class's queue had to be made anew, all that was published to it before is missing, and nothing else.
pub async fn a_lost_class_is_sent_again_up_to_its_loss(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (lost, _) = published(f, &b, b.job()).await;
    published(f, &b, NewJob { priority: Priority::High, ..b.job() }).await;
    f.advance(SECOND);
    let before = b.now();
    f.advance(SECOND);
    published(f, &b, b.job()).await;
    // A worker that holds such a hint changes nothing: the queue is gone.
    passed(&b, &class(), before, Some(Timestamp::from_micros(0))).await;
    let doubt = Unsent::Class { class: class(), doubt: Doubt::Lost { before } };
    assert_eq!(unsent(f, doubt.clone()).await, 1);
    assert_eq!(unsent(f, doubt).await, 0);
    assert_eq!(due(f).await, [lost]);
    assert_eq!(outstanding(f).await, (1, 2));
}

/// When a class's queue was found empty, what a live worker may hold is not missing.
pub async fn a_drained_class_spares_what_workers_hold(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (lost, _) = published(f, &b, b.job()).await;
    f.advance(SECOND);
    let held_since = b.now();
    let (held, _) = published(f, &b, b.job()).await;
    f.advance(SECOND);
    let worker = b.worker().await;
    let elsewhere = ClassMark { class: class_at(Priority::High), claimed_until: None, held_since: Some(Timestamp::from_micros(0)) };
    marks(&b, worker, vec![ClassMark { class: class(), claimed_until: None, held_since: Some(held_since) }, elsewhere]).await;
    let doubt = Unsent::Class { class: class(), doubt: Doubt::Drained { before: b.now() } };
    assert_eq!(unsent(f, doubt.clone()).await, 1);
    assert_eq!(due(f).await, [lost]);
    f.advance(LEASE_OVER);
    assert_eq!(unsent(f, doubt).await, 1, "a dead worker holds nothing");
    assert!(due(f).await.contains(&held));
}

/// A call doubts no more rows than it was asked for; the next ones go on until there are none.
pub async fn doubting_is_bounded_and_goes_on(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for _ in 0..5 {
        published(f, &b, b.job()).await;
    }
    f.advance(SECOND);
    let doubt = Unsent::Class { class: class(), doubt: Doubt::Lost { before: b.now() } };
    let mut doubted = Vec::new();
    for _ in 0..4 {
        doubted.push(ledger(f).unsent(&doubt, 2).await.expect("doubts"));
    }
    assert_eq!(doubted, [2, 2, 1, 0]);
}

/// What was published a while ago, and before what workers have since claimed of its class, was lost on the way.
pub async fn what_workers_have_passed_is_sent_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (lost, _) = published(f, &b, b.job()).await;
    f.advance(RECONCILE_AFTER);
    assert_eq!(reconcile(f).await, (0, 0), "nobody has passed it: it may be waiting behind others");
    passed(&b, &class(), b.now(), None).await;
    assert_eq!(reconcile(f).await, (1, 0));
    assert_eq!(due(f).await, [lost]);
    assert_eq!(reconcile(f).await, (0, 0), "what is to be sent again is not missing any more");
}

/// A message may be on its way for a while.
pub async fn what_was_published_lately_is_left_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    published(f, &b, b.job()).await;
    f.advance(SECOND);
    passed(&b, &class(), b.now(), None).await;
    f.advance(RECONCILE_AFTER - SECOND * 2);
    assert_eq!(reconcile(f).await, (0, 0));
    f.advance(SECOND);
    assert_eq!(reconcile(f).await, (1, 0));
}

/// What was published after the latest that workers have claimed may still be waiting for them, however long.
pub async fn what_workers_have_not_reached_is_left_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let until = b.now();
    published(f, &b, b.job()).await;
    passed(&b, &class(), until, None).await;
    f.advance(RECONCILE_AFTER * 20);
    assert_eq!(reconcile(f).await, (0, 0));
}

/// What a worker claimed counts from its next renewal on: the others must have told what they hold of that time.
pub async fn one_renewal_says_too_little(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    published(f, &b, b.job()).await;
    f.advance(RECONCILE_AFTER);
    let worker = b.worker().await;
    mark(&b, worker, class(), Some(b.now()), None).await;
    assert_eq!(reconcile(f).await, (0, 0));
    mark(&b, worker, class(), Some(b.now()), None).await;
    assert_eq!(reconcile(f).await, (1, 0));
}

/// One worker's hint is not missing because another one is ahead of it, as long as it lives.
pub async fn what_a_worker_holds_is_left_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (lost, _) = published(f, &b, b.job()).await;
    f.advance(SECOND);
    let held_since = b.now();
    let (held, _) = published(f, &b, b.job()).await;
    f.advance(RECONCILE_AFTER);
    passed(&b, &class(), b.now(), None).await;
    let slow = b.worker().await;
    mark(&b, slow, class(), None, Some(held_since)).await;
    assert_eq!(reconcile(f).await, (1, 0));
    assert_eq!(due(f).await, [lost]);
    f.advance(LEASE_OVER);
    assert_eq!(reconcile(f).await, (1, 0), "it died, and what it held is missing");
    assert!(due(f).await.contains(&held));
}

/// What a worker does not name in its latest renewal, it does not hold any more.
pub async fn what_a_worker_has_let_go_is_sent_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    published(f, &b, b.job()).await;
    f.advance(RECONCILE_AFTER);
    passed(&b, &class(), b.now(), None).await;
    let slow = b.worker().await;
    mark(&b, slow, class(), None, Some(Timestamp::from_micros(0))).await;
    assert_eq!(reconcile(f).await, (0, 0));
    marks(&b, slow, Vec::new()).await;
    assert_eq!(reconcile(f).await, (1, 0));
}

/// How far one class has come says nothing of another: the low ones wait behind the high ones.
pub async fn classes_are_reconciled_apart(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    published(f, &b, NewJob { priority: Priority::Low, ..b.job() }).await;
    f.advance(RECONCILE_AFTER);
    passed(&b, &class_at(Priority::High), b.now(), None).await;
    assert_eq!(reconcile(f).await, (0, 0));
    passed(&b, &class_at(Priority::Low), b.now(), None).await;
    assert_eq!(reconcile(f).await, (1, 0));
}

/// A confirmed row of which no job is queued any more is deleted when workers have passed it.
pub async fn passed_rows_without_queued_jobs_go(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (cancelled, _) = published(f, &b, b.job()).await;
    let (lost, _) = published(f, &b, b.job()).await;
    b.cancel(cancelled).await.expect("cancels");
    f.advance(RECONCILE_AFTER);
    passed(&b, &class(), b.now(), None).await;
    assert_eq!(reconcile(f).await, (1, 1));
    assert_eq!(outstanding(f).await, (1, 0));
    assert_eq!(due(f).await, [lost]);
}

/// A pass looks at no more rows than it was asked for, and what passes have made unsent they do not see again.
pub async fn reconciling_is_bounded_and_ends(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for n in 0..6 {
        let (id, _) = published(f, &b, b.job()).await;
        if n == 2 {
            b.cancel(id).await.expect("cancels");
        }
    }
    f.advance(RECONCILE_AFTER + Duration::from_millis(1));
    passed(&b, &class(), b.now(), None).await;
    let (mut unsent, mut passes) = (0, 0);
    loop {
        let pass = ledger(f).reconcile(2).await.expect("reconciles");
        assert!(pass.unsent + pass.settled <= 2, "{pass:?}");
        if pass == Reconciled::default() {
            break;
        }
        (unsent, passes) = (unsent + pass.unsent, passes + 1);
        assert!(passes < 10, "it goes round in circles");
    }
    assert_eq!((unsent, passes), (5, 3));
}
