//! What the feed leaves in Redis, and what it makes of what it finds there.

use std::time::Duration;

use coordination::{Feed, FeedEntry, FeedEvent};
use domain::bounds::{FEED_EVENTS_MAX, FEED_KEPT, FEED_KEPT_ENDED};
use testkit::within;

use crate::bench::{Bench, LONG, connected, id, job, output};

macro_rules! shared {
    () => {
        match Bench::shared() {
            Some(bench) => bench,
            None => testkit::skip!("redis", testkit::servers::HOW),
        }
    };
}

async fn command<T: redis::FromRedisValue>(bench: &Bench, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut bench.raw().await).await.expect("answers")
}

/// I7: a stream has its bound in Redis, too, and everything there expires: sooner when the run is over.
#[tokio::test]
async fn streams_are_bounded_and_expire() {
    let bench = shared!();
    let last = u64::try_from(FEED_EVENTS_MAX).expect("fits") + 5;
    for seq in 1..=last {
        bench.process.append(job(1), output(seq)).await.expect("appended");
    }
    let key = bench.name("feed", job(1));
    assert_eq!(command::<usize>(&bench, &["XLEN", &key]).await, FEED_EVENTS_MAX);
    let kept = FEED_KEPT.as_secs();
    assert!((kept - 60..=kept).contains(&command::<u64>(&bench, &["TTL", &key]).await));
    bench.process.append(job(1), FeedEntry { id: id(1, last + 1), event: FeedEvent::Ended }).await.expect("appended");
    let ended = FEED_KEPT_ENDED.as_secs();
    assert!((ended - 60..=ended).contains(&command::<u64>(&bench, &["TTL", &key]).await));
    // And nothing else is left anywhere.
    assert_eq!(command::<Vec<String>>(&bench, &["KEYS", &format!("{}*", bench.options.prefix)]).await, [key]);
}

#[tokio::test]
async fn events_of_many_jobs_at_once_arrive_whole() {
    let bench = shared!();
    let appending = (0..64).map(|n| {
        let process = std::sync::Arc::clone(&bench.process);
        tokio::spawn(async move {
            for seq in 1..=20 {
                process.append(job(n), output(seq)).await.expect("appended");
            }
        })
    });
    for task in appending.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    for n in 0..64 {
        let page = bench.process.read(job(n), None, FEED_EVENTS_MAX).await.expect("read");
        assert_eq!((page.entries, page.gap), ((1..=20).map(output).collect(), false));
    }
}

#[tokio::test]
async fn what_another_version_wrote_is_passed_over() {
    let bench = shared!();
    bench.process.append(job(1), output(1)).await.expect("appended");
    let key = bench.name("feed", job(1));
    for (id, event) in [("1-2", r#"{"event":"tides"}"#), ("1-3", "nonsense")] {
        let _: String = command(&bench, &["XADD", &key, id, "before", "1-1", "offset", "50", "event", event]).await;
    }
    bench.process.append(job(1), output(4)).await.expect("appended");
    let page = bench.process.read(job(1), None, 10).await.expect("read");
    assert_eq!((page.entries, page.gap), (vec![output(1), output(4)], false));
    // A follower who has read all but those goes on behind them.
    let page = within("an event", LONG, bench.process.follow(job(1), Some(id(1, 1)), 1)).await.expect("read");
    assert_eq!(page.entries, vec![output(4)]);
}

/// A restarted Redis has forgotten the scripts; so has one after `SCRIPT FLUSH`.
#[tokio::test]
async fn a_forgotten_script_is_sent_again() {
    let bench = shared!();
    bench.process.append(job(1), output(1)).await.expect("appended");
    let _: String = command(&bench, &["SCRIPT", "FLUSH"]).await;
    bench.process.append(job(1), output(2)).await.expect("appended");
    assert_eq!(bench.process.read(job(1), None, 10).await.expect("read").entries, vec![output(1), output(2)]);
}

/// A server that says no is not one that is away: nobody waits for it to say something else.
#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let bench = shared!();
    connected(&bench.process).await;
    let _: String = command(&bench, &["SET", &bench.name("feed", job(1)), "x", "EX", "60"]).await;
    let following = within("an answer", LONG, bench.process.follow(job(1), None, 10)).await;
    let errors = [bench.process.append(job(1), output(1)).await.err(), bench.process.read(job(1), None, 10).await.err(), following.err()];
    for (error, doing) in errors.into_iter().zip(["adding to", "reading", "following"]) {
        let text = telemetry::chain(&error.expect("refused"));
        assert!(text.starts_with(&format!("shared state is unavailable while {doing} the live feed: ")), "{text}");
        assert!(text.contains("WRONGTYPE") || text.contains("wrong kind"), "{text}");
    }
    assert!(bench.process.is_connected());
    bench.process.append(job(2), output(1)).await.expect("others go on");
}

#[tokio::test]
async fn nothing_is_asked_for_an_empty_page() {
    let bench = shared!();
    bench.process.append(job(1), output(1)).await.expect("appended");
    assert_eq!(bench.process.read(job(1), None, 0).await.expect("read").entries, Vec::new());
}

#[tokio::test]
async fn redis_says_how_it_is() {
    let bench = shared!();
    let health = bench.process.ping().await.expect("answers");
    assert!(health.is_supported(), "{health:?}");
    assert!(health.memory_bytes > 0 && health.round_trip < Duration::from_secs(1) && !health.eviction.is_empty(), "{health:?}");
}
