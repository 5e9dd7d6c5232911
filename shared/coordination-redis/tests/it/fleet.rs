//! Processes of one fleet: do they hear each other, and themselves only once?

use std::sync::Arc;
use std::time::Duration;

use coordination::{Feed, Nudge, Nudges};
use domain::JobId;
use testkit::{eventually, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, connected, id, job, output};

fn cancel(n: u128) -> Nudge {
    Nudge::Cancel { job: job(n) }
}

/// Jobs that somebody listens to, by the channel.
async fn listeners(bench: &Bench, job: JobId) -> usize {
    let channel = bench.name("told", job);
    let (_, count): (String, usize) =
        redis::cmd("PUBSUB").arg("NUMSUB").arg(channel).query_async(&mut bench.raw().await).await.expect("answers");
    count
}

#[tokio::test]
async fn nudges_reach_the_others_and_come_to_oneself_once() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    let (a, b) = (Arc::clone(&bench.process), bench.another());
    connected(&a).await;
    connected(&b).await;
    let (mut at_a, mut at_b) = (a.listen(), b.listen());
    eventually("both are subscribed", LONG, async || {
        b.nudge(cancel(0));
        within("b hears itself", LONG, at_b.next()).await;
        matches!(tokio::time::timeout(Duration::from_millis(50), at_a.next()).await, Ok(Some(_)))
    })
    .await;
    a.nudge(cancel(1));
    a.nudge(cancel(2));
    for n in [1, 2] {
        let heard = eventually("the nudge", LONG, async || at_b.next().await.filter(|nudge| *nudge != cancel(0))).await;
        assert_eq!(heard, cancel(n));
    }
    // All of ours went before it: had they come back to us, they would be heard first, and again.
    b.nudge(cancel(3));
    let mut heard = Vec::new();
    while heard.last() != Some(&Some(cancel(3))) {
        heard.push(within("a nudge", LONG, at_a.next()).await);
    }
    heard.retain(|nudge| *nudge != Some(cancel(0)));
    assert_eq!(heard, [Some(cancel(1)), Some(cancel(2)), Some(cancel(3))]);
}

/// The look that followers take by themselves comes after 2 s: what is faster was told.
#[tokio::test]
async fn followers_are_told_by_other_processes() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    let (a, b) = (Arc::clone(&bench.process), bench.another());
    connected(&a).await;
    connected(&b).await;
    let since = Instant::now();
    for seq in 1..=30 {
        let after = (seq > 1).then(|| id(1, seq - 1));
        let appending = async {
            tokio::task::yield_now().await;
            a.append(job(1), output(seq)).await.expect("appended");
        };
        let (page, ()) = tokio::join!(within("an event", LONG, b.follow(job(1), after, 10)), appending);
        assert_eq!(page.expect("read").entries, vec![output(seq)]);
    }
    assert!(since.elapsed() < Duration::from_secs(6), "{:?} for 30 events", since.elapsed());
}

/// I7: however many follow, a process has one channel per job, and none for long after the last has left.
#[tokio::test]
async fn many_followers_are_one_listener_and_leave_nothing() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    connected(&bench.process).await;
    let follow = |n| {
        let process = Arc::clone(&bench.process);
        tokio::spawn(async move { process.follow(job(n), None, 10).await })
    };
    let followers: Vec<_> = (0..600).map(|n| follow(n % 300)).collect();
    for n in [0, 150, 299] {
        eventually("the channel is listened to", LONG, async || listeners(&bench, job(n)).await == 1).await;
    }
    for n in 0..300 {
        bench.process.append(job(n), output(1)).await.expect("appended");
    }
    for follower in followers {
        let page = within("an event", LONG, follower).await.expect("no panic").expect("read");
        assert_eq!(page.entries, vec![output(1)]);
    }
    for n in [0, 150, 299] {
        eventually("the channel is left", LONG, async || listeners(&bench, job(n)).await == 0).await;
    }
}
