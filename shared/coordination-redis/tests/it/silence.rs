//! A Redis that keeps its connections and says nothing: a stopped process, a network that swallows.

use std::time::Duration;

use coordination::{Feed, Nudge, Nudges};
use testkit::servers::PrivateRedis;
use testkit::{eventually, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, NOT_INSTALLED, connected, id, job, output};

#[tokio::test]
async fn a_silent_redis_holds_nobody_and_is_used_again() {
    let Some(server) = PrivateRedis::start().await else { testkit::skip!("redis", NOT_INSTALLED) };
    let bench = Bench::on(&server.url());
    let other = bench.another();
    connected(&bench.process).await;
    connected(&other).await;
    bench.process.append(job(1), output(1)).await.expect("appended");
    let follower = tokio::spawn(async move { other.follow(job(1), Some(id(1, 1)), 10).await.map(|page| page.entries) });
    let mut nudges = bench.process.listen();

    server.freeze().await;
    let since = Instant::now();
    bench.process.append(job(1), output(2)).await.expect_err("there is no answer");
    assert!(since.elapsed() < Duration::from_secs(3), "one call: {:?}", since.elapsed());
    // Unused, the listening connection finds out by its own pings.
    eventually("the listening connection is given up", LONG, async || !bench.process.is_listening()).await;
    assert!(since.elapsed() < Duration::from_secs(10), "noticed after {:?}", since.elapsed());
    bench.process.nudge(Nudge::Kinds);
    assert_eq!(nudges.next().await, Some(Nudge::Kinds));

    server.thaw().await;
    assert_eq!(within("word of the return", LONG, nudges.next()).await, None);
    eventually("appends succeed again", LONG, async || bench.process.append(job(1), output(3)).await.is_ok()).await;
    let entries = within("an event", LONG, follower).await.expect("no panic").expect("read");
    // The append without an answer may have been done all the same.
    assert!(entries.ends_with(&[output(3)]) || entries == [output(2)], "{entries:?}");
}
