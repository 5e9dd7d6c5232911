//! Much at once, with few slots: nothing may lock up, nothing is lost, and every ledger row goes exactly once.

use std::collections::{BTreeSet, HashMap};

use broker::{Broker, Publisher, Subscription};
use domain::bounds::EMISSION_IDS_MAX;
use domain::{EmissionId, JobId, Pace};
use testkit::{eventually, servers, within};

use crate::bench::{Bench, LONG, emissions, normal, queue};

const EMISSIONS: u128 = 20_000;
const PACK: u128 = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_hints_get_through_a_worker_with_fewer_slots_than_two_packs() {
    let Some(bench) = Bench::new().await else { testkit::skip!("rabbitmq", servers::HOW) };
    assert_eq!(usize::try_from(PACK).expect("small"), EMISSION_IDS_MAX);
    bench.declare(&[queue()]).await.expect("declared");
    let subscriber = bench.subscribe(Subscription::All, 50).await.expect("subscribed");
    subscriber.pace(&Pace { queue: queue(), mean: Some(std::time::Duration::from_micros(10)), slots: 50 });
    let publishing = async {
        let all = emissions(&normal(), 0..EMISSIONS * PACK, usize::try_from(PACK).expect("small"));
        let mut rest = &all[..];
        while !rest.is_empty() {
            let taken = bench.publish(&rest[..rest.len().min(1_000)]).await.expect("answered").len();
            rest = &rest[taken..];
            if taken == 0 {
                eventually("there is room", LONG, async || bench.broker.health().queued_to_send < 2_000).await;
            }
        }
    };
    let consuming = async {
        let (mut jobs, mut rows): (HashMap<JobId, u32>, HashMap<EmissionId, u32>) = Default::default();
        let wanted = usize::try_from(EMISSIONS * PACK).expect("fits");
        let mut bite = 0;
        while jobs.len() < wanted {
            // Slots come free in numbers that do not divide a pack.
            bite = bite % 50 + 7;
            for delivery in within("something to take", LONG, subscriber.take(bite)).await.expect("taken") {
                delivery.jobs().iter().for_each(|job| *jobs.entry(*job).or_default() += 1);
                delivery.emissions().iter().for_each(|row| *rows.entry(*row).or_default() += 1);
                delivery.ack();
            }
        }
        (jobs, rows)
    };
    let ((), (jobs, rows)) = tokio::join!(publishing, consuming);
    assert!(jobs.values().all(|times| *times == 1), "nothing was doubled");
    assert_eq!(rows.len(), usize::try_from(EMISSIONS).expect("fits"));
    assert!(rows.values().all(|times| *times == 1));
    eventually("all confirmed", LONG, async || bench.told.confirmed_ids().len() == rows.len()).await;
    assert_eq!(bench.told.confirmed_ids(), rows.keys().copied().collect::<BTreeSet<_>>());
    eventually("all acked", LONG, async || bench.vhost.queue("flotilla.v1.q.p2").await.and_then(|queue| queue.messages) == Some(0)).await;
    assert_eq!((bench.broker.health().queued_to_send, bench.broker.health().unconfirmed), (0, 0));
}
