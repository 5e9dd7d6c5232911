//! The contract suite of coordination: named cases over a fresh adapter.

pub mod express;

use std::sync::Arc;

use domain::bounds::{FEED_EVENTS_MAX, FEED_JOB_BYTES_MAX, FEED_OUTPUT_BYTES_MAX};
use domain::{JobId, Progress};

use crate::{Feed, FeedEntry, FeedEvent, FeedId, Nudge, Nudges};

/// What an adapter's test crate provides for each case.
pub trait Fixture: Send + Sync {
    fn feed(&self) -> Arc<dyn Feed>;
    fn nudges(&self) -> Arc<dyn Nudges>;
}

/// Instantiates every case as a test of its own: `coordination::contract_suite!(InProcessFixture::default());`
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::coordination_contract_cases! { $fixture;
            events_are_read_in_order_and_resumed,
            a_reader_of_what_is_gone_is_told_of_the_gap,
            a_job_is_bounded_in_bytes_too,
            what_is_not_newer_changes_nothing,
            nothing_was_lost_between_runs,
            a_follower_is_woken,
            followers_of_one_job_are_all_woken,
            a_follower_of_what_is_there_does_not_wait,
            jobs_do_not_mix,
            every_listener_hears_a_nudge,
            a_slow_listener_is_told_that_it_missed_some,
        }
    };
}

/// One test per case; not for use outside [`contract_suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! coordination_contract_cases {
    ($fixture:expr; $($case:ident,)*) => {
        mod contract {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let fixture = $fixture;
                    let case = $crate::contract::$case(&fixture);
                    tokio::time::timeout(std::time::Duration::from_secs(30), case).await.expect("the case must end within 30 s");
                }
            )*
        }
    };
}

fn job(n: u128) -> JobId {
    JobId::from_bytes(n.to_be_bytes())
}

fn entry(run: u32, seq: u64) -> FeedEntry {
    let percent = u8::try_from(seq % 100).expect("small");
    FeedEntry { id: FeedId { run, seq }, event: FeedEvent::Progress(Progress { percent, message: None }) }
}

fn seqs(entries: &[FeedEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.id.seq).collect()
}

pub async fn events_are_read_in_order_and_resumed(f: &dyn Fixture) {
    let feed = f.feed();
    for seq in 1..=5 {
        feed.append(job(1), entry(1, seq)).await.expect("appended");
    }
    let first = feed.read(job(1), None, 3).await.expect("read");
    assert_eq!((seqs(&first.entries), first.gap), (vec![1, 2, 3], false));
    let rest = feed.read(job(1), Some(first.entries[2].id), 10).await.expect("read");
    assert_eq!((seqs(&rest.entries), rest.gap), (vec![4, 5], false));
    feed.append(job(1), entry(2, 1)).await.expect("appended");
    let next_run = feed.read(job(1), Some(FeedId { run: 1, seq: 5 }), 10).await.expect("read");
    assert_eq!(next_run.entries, vec![entry(2, 1)], "a later run comes after an earlier one");
}

/// I7: the feed has a bound, and says when it was reached.
pub async fn a_reader_of_what_is_gone_is_told_of_the_gap(f: &dyn Fixture) {
    let feed = f.feed();
    let last = u64::try_from(FEED_EVENTS_MAX).expect("fits") + 10;
    for seq in 1..=last {
        feed.append(job(1), entry(1, seq)).await.expect("appended");
    }
    let page = feed.read(job(1), Some(FeedId { run: 1, seq: 2 }), 1).await.expect("read");
    assert!(page.gap && page.entries[0].id.seq > 3);
    let page = feed.read(job(1), Some(FeedId { run: 1, seq: last - 1 }), 10).await.expect("read");
    assert_eq!((seqs(&page.entries), page.gap), (vec![last], false));
}

/// I7: large events push out more of the older ones.
pub async fn a_job_is_bounded_in_bytes_too(f: &dyn Fixture) {
    let feed = f.feed();
    let text = "x".repeat(FEED_OUTPUT_BYTES_MAX);
    let last = u64::try_from(FEED_JOB_BYTES_MAX / FEED_OUTPUT_BYTES_MAX).expect("fits") + 20;
    for seq in 1..=last {
        let event = FeedEvent::Output { text: text.clone() };
        feed.append(job(1), FeedEntry { id: FeedId { run: 1, seq }, event }).await.expect("appended");
    }
    let page = feed.read(job(1), None, FEED_EVENTS_MAX).await.expect("read");
    assert!(page.gap && page.entries.len() * text.len() <= FEED_JOB_BYTES_MAX, "{} events are kept", page.entries.len());
    assert!(page.entries.len() * text.len() > FEED_JOB_BYTES_MAX / 2, "{} events are kept", page.entries.len());
    assert_eq!(page.entries.last().map(|entry| entry.id.seq), Some(last));
}

pub async fn what_is_not_newer_changes_nothing(f: &dyn Fixture) {
    let feed = f.feed();
    for (run, seq) in [(1, 1), (2, 1), (2, 2), (2, 2), (2, 1), (1, 2)] {
        feed.append(job(1), entry(run, seq)).await.expect("taken, if not kept");
    }
    let page = feed.read(job(1), None, 10).await.expect("read");
    assert_eq!((page.entries, page.gap), (vec![entry(1, 1), entry(2, 1), entry(2, 2)], false));
}

pub async fn nothing_was_lost_between_runs(f: &dyn Fixture) {
    let feed = f.feed();
    let bound = u64::try_from(FEED_EVENTS_MAX).expect("fits");
    for (run, last) in [(1, 3), (2, bound)] {
        for seq in 1..=last {
            feed.append(job(1), entry(run, seq)).await.expect("appended");
        }
    }
    let whole = feed.read(job(1), Some(FeedId { run: 1, seq: 3 }), 1).await.expect("read");
    assert_eq!((whole.entries, whole.gap), (vec![entry(2, 1)], false), "the first run had ended there");
    let cut = feed.read(job(1), Some(FeedId { run: 1, seq: 2 }), 1).await.expect("read");
    assert_eq!((cut.entries, cut.gap), (vec![entry(2, 1)], true), "the last of the first run is gone");
}

pub async fn a_follower_is_woken(f: &dyn Fixture) {
    let feed = f.feed();
    let appending = async {
        tokio::task::yield_now().await;
        feed.append(job(1), entry(1, 1)).await.expect("appended");
    };
    let (page, ()) = tokio::join!(feed.follow(job(1), None, 10), appending);
    assert_eq!(seqs(&page.expect("read").entries), vec![1]);
}

pub async fn followers_of_one_job_are_all_woken(f: &dyn Fixture) {
    let feed = f.feed();
    feed.append(job(1), entry(1, 1)).await.expect("appended");
    let after = Some(FeedId { run: 1, seq: 1 });
    let followers = async { tokio::join!(feed.follow(job(1), after, 10), feed.follow(job(1), after, 10), feed.follow(job(1), None, 10)) };
    let appending = async {
        tokio::task::yield_now().await;
        feed.append(job(1), entry(1, 2)).await.expect("appended");
    };
    let ((a, b, c), ()) = tokio::join!(followers, appending);
    assert_eq!((seqs(&a.expect("read").entries), seqs(&b.expect("read").entries)), (vec![2], vec![2]));
    assert_eq!(c.expect("read").entries[0], entry(1, 1));
}

pub async fn a_follower_of_what_is_there_does_not_wait(f: &dyn Fixture) {
    let feed = f.feed();
    for seq in 1..=5 {
        feed.append(job(1), entry(1, seq)).await.expect("appended");
    }
    let page = feed.follow(job(1), Some(FeedId { run: 1, seq: 2 }), 2).await.expect("read");
    assert_eq!((seqs(&page.entries), page.gap), (vec![3, 4], false));
}

pub async fn jobs_do_not_mix(f: &dyn Fixture) {
    let feed = f.feed();
    feed.append(job(1), entry(1, 1)).await.expect("appended");
    assert_eq!(feed.read(job(2), None, 10).await.expect("read").entries, Vec::new());
}

pub async fn every_listener_hears_a_nudge(f: &dyn Fixture) {
    let nudges = f.nudges();
    let (mut a, mut b) = (nudges.listen(), nudges.listen());
    nudges.nudge(Nudge::Cancel { job: job(7) });
    assert_eq!((a.next().await, b.next().await), (Some(Nudge::Cancel { job: job(7) }), Some(Nudge::Cancel { job: job(7) })));
}

pub async fn a_slow_listener_is_told_that_it_missed_some(f: &dyn Fixture) {
    let nudges = f.nudges();
    let mut slow = nudges.listen();
    for _ in 0..100_000 {
        nudges.nudge(Nudge::Kinds);
    }
    let mut missed = false;
    for _ in 0..100_000 {
        missed |= slow.next().await.is_none();
        if missed {
            break;
        }
    }
    assert!(missed, "a bounded queue cannot hold a hundred thousand");
}
