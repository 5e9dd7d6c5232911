//! The contract suite of the express lane: named cases over a fresh adapter.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use domain::bounds::EXPRESS_HINTS_MAX;
use domain::{Class, Emission, EmissionId, JobId, Priority, QueueName, Timestamp};

use crate::{Express, ExpressHint};

/// What an adapter's test crate provides for each case: a lane that stands.
pub trait ExpressFixture: Send + Sync {
    fn express(&self) -> impl Future<Output = Arc<dyn Express>>;
}

/// Instantiates every case as a test of its own: `coordination::express_suite!(InProcessFixture::default());`
#[macro_export]
macro_rules! express_suite {
    ($fixture:expr) => {
        $crate::coordination_express_cases! { $fixture;
            a_hint_is_taken_whole,
            one_who_waits_is_told,
            a_hint_is_taken_once,
            the_most_important_goes_first_and_the_oldest_of_it,
            only_the_queues_asked_for_are_taken,
            hints_that_nobody_takes_are_bounded,
            who_gave_up_waiting_can_wait_again,
        }
    };
}

/// One test per case; not for use outside [`express_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! coordination_express_cases {
    ($fixture:expr; $($case:ident,)*) => {
        mod express_contract {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let fixture = $fixture;
                    let case = $crate::contract::express::$case(&fixture);
                    tokio::time::timeout(std::time::Duration::from_secs(30), case).await.expect("the case must end within 30 s");
                }
            )*
        }
    };
}

/// A hint with this number, of a class.
pub fn hint(number: u8, queue: &'static str, priority: Priority) -> ExpressHint {
    let id = |of: u8| [of, number, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1];
    let class = Class { queue: QueueName::of(queue), priority };
    let emission = Emission { id: EmissionId::from_bytes(id(1)), class, jobs: vec![JobId::from_bytes(id(2)), JobId::from_bytes(id(3))] };
    ExpressHint { emission, at: Timestamp::from_micros(1_700_000_000_000_000 + i64::from(number)) }
}

fn normal(number: u8) -> ExpressHint {
    hint(number, "q", Priority::Normal)
}

fn q() -> [QueueName; 1] {
    [QueueName::of("q")]
}

pub async fn a_hint_is_taken_whole(f: &impl ExpressFixture) {
    let lane = f.express().await;
    assert!(lane.offer(normal(1)));
    assert_eq!(lane.stop(&q()).take().await, normal(1));
}

pub async fn one_who_waits_is_told(f: &impl ExpressFixture) {
    let lane = f.express().await;
    let stop = lane.stop(&q());
    for number in 1..=5 {
        let offering = async {
            tokio::task::yield_now().await;
            lane.offer(normal(number));
        };
        assert_eq!(tokio::join!(stop.take(), offering).0, normal(number));
    }
}

/// Two who wait get different hints, and all of them.
pub async fn a_hint_is_taken_once(f: &impl ExpressFixture) {
    let lane = f.express().await;
    let (a, b) = (lane.stop(&q()), lane.stop(&q()));
    for round in 0..10 {
        let offering = async {
            tokio::task::yield_now().await;
            lane.offer(normal(2 * round));
            lane.offer(normal(2 * round + 1));
        };
        let (one, other, ()) = tokio::join!(a.take(), b.take(), offering);
        let taken: BTreeSet<EmissionId> = [one.emission.id, other.emission.id].into();
        assert_eq!(taken, [normal(2 * round).emission.id, normal(2 * round + 1).emission.id].into());
    }
}

pub async fn the_most_important_goes_first_and_the_oldest_of_it(f: &impl ExpressFixture) {
    let lane = f.express().await;
    // The last one tells when all have arrived: it is alone in its queue.
    let all = [
        hint(1, "q", Priority::Bulk),
        hint(2, "q", Priority::Normal),
        hint(3, "q", Priority::Critical),
        hint(4, "q", Priority::Normal),
        hint(5, "last", Priority::Normal),
    ];
    all.iter().cloned().for_each(|hint| _ = lane.offer(hint));
    lane.stop(&[QueueName::of("last")]).take().await;
    let stop = lane.stop(&q());
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(stop.take().await);
    }
    assert_eq!(taken, [&all[2], &all[1], &all[3], &all[0]].map(Clone::clone));
}

pub async fn only_the_queues_asked_for_are_taken(f: &impl ExpressFixture) {
    let lane = f.express().await;
    lane.offer(hint(1, "other", Priority::Critical));
    lane.offer(normal(2));
    assert_eq!(lane.stop(&q()).take().await, normal(2));
    let both = lane.stop(&[QueueName::of("q"), QueueName::of("other")]);
    assert_eq!(both.take().await, hint(1, "other", Priority::Critical));
}

/// I7: the oldest go first; what is left is the newest.
pub async fn hints_that_nobody_takes_are_bounded(f: &impl ExpressFixture) {
    let lane = f.express().await;
    let last = u8::try_from(EXPRESS_HINTS_MAX + 20).expect("small");
    for number in 0..=last {
        // The way out has a bound of its own.
        while !lane.offer(normal(number)) {
            tokio::task::yield_now().await;
        }
    }
    lane.offer(hint(1, "last", Priority::Normal));
    lane.stop(&[QueueName::of("last")]).take().await;
    let stop = lane.stop(&q());
    let mut taken = Vec::new();
    while taken.last() != Some(&normal(last)) {
        taken.push(stop.take().await);
    }
    assert!(taken.len() <= EXPRESS_HINTS_MAX, "{} were kept", taken.len());
}

pub async fn who_gave_up_waiting_can_wait_again(f: &impl ExpressFixture) {
    let lane = f.express().await;
    let stop = lane.stop(&q());
    tokio::select! {
        biased;
        _ = stop.take() => unreachable!("nothing was offered"),
        () = tokio::task::yield_now() => {}
    }
    lane.offer(normal(1));
    assert_eq!(stop.take().await, normal(1));
}
