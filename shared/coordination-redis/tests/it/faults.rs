//! Redis stops, comes back, forgets: who notices, and what is lost?

use std::sync::Arc;
use std::time::Duration;

use coordination::{Feed, Nudge, Nudges};
use coordination_redis::RedisOptions;
use testkit::servers::{PrivateRedis, Stop, through};
use testkit::{FaultProxy, Mode, eventually, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, NOT_INSTALLED, connected, id, job, output};

/// What a call may take that fails, on a busy machine.
const SOON: Duration = Duration::from_secs(3);

macro_rules! own {
    () => {
        match PrivateRedis::start().await {
            Some(server) => server,
            None => testkit::skip!("redis", NOT_INSTALLED),
        }
    };
}

/// Calls fail, each within its deadline, until one succeeds.
async fn again(bench: &Bench, seq: u64) {
    eventually("appends succeed again", LONG, async || {
        let since = Instant::now();
        let result = bench.process.append(job(1), output(seq)).await;
        assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
        result.map_err(|error| telemetry::chain(&error))
    })
    .await;
}

#[tokio::test]
async fn a_fleet_starts_without_redis_and_uses_it_when_it_comes() {
    let server = own!();
    server.stop(Stop::AtOnce).await;
    let bench = Bench::on(&server.url());
    let error = within("an error", LONG, bench.process.append(job(1), output(1))).await.expect_err("there is nobody");
    assert!(telemetry::chain(&error).contains("refused"), "{}", telemetry::chain(&error));
    let error = bench.process.ping().await.expect_err("there is nobody");
    assert!(telemetry::chain(&error).starts_with("shared state is unavailable while asking Redis how it is: "));
    assert!(!bench.process.is_connected());
    let mut nudges = bench.process.listen();
    bench.process.nudge(Nudge::Kinds);
    assert_eq!(nudges.next().await, Some(Nudge::Kinds), "within the process they need no Redis");
    server.restart().await;
    again(&bench, 1).await;
    connected(&bench.process).await;
}

#[tokio::test]
async fn followers_and_listeners_outlive_a_restart() {
    let server = own!();
    let bench = Bench::on(&server.url());
    let other = bench.another();
    connected(&bench.process).await;
    connected(&other).await;
    bench.process.append(job(1), output(1)).await.expect("appended");
    let follower = tokio::spawn(async move { other.follow(job(1), Some(id(1, 1)), 10).await.map(|page| (page.entries, other)) });
    let mut nudges = bench.process.listen();

    server.stop(Stop::AtOnce).await;
    eventually("the loss is noticed", LONG, async || !bench.process.is_connected()).await;
    let since = Instant::now();
    for _ in 0..200 {
        bench.process.append(job(1), output(2)).await.expect_err("there is nobody");
    }
    assert!(since.elapsed() < SOON, "known to be away, calls fail at once: {:?}", since.elapsed());

    let process = Arc::clone(&bench.process);
    let late = tokio::spawn(async move { process.follow(job(1), Some(id(1, 1)), 10).await.map(|page| page.entries) });
    server.restart().await;
    assert_eq!(within("word of the return", LONG, nudges.next()).await, None, "some may have been missed: look at everything");
    again(&bench, 2).await;
    let (entries, _) = within("an event", LONG, follower).await.expect("no panic").expect("read");
    assert_eq!(entries, vec![output(2)]);
    let entries = within("an event", LONG, late).await.expect("no panic").expect("one who came meanwhile outlives it, too");
    assert_eq!(entries, vec![output(2)]);
}

#[tokio::test]
async fn after_a_flush_pages_are_empty_and_the_feed_goes_on() {
    let server = own!();
    let bench = Bench::on(&server.url());
    for seq in 1..=3 {
        bench.process.append(job(1), output(seq)).await.expect("appended");
    }
    let _: String = redis::cmd("FLUSHALL").query_async(&mut bench.raw().await).await.expect("flushed");
    for after in [None, Some(id(1, 2))] {
        let page = bench.process.read(job(1), after, 10).await.expect("read");
        assert_eq!((page.entries, page.gap), (Vec::new(), false));
    }
    let appending = async {
        tokio::task::yield_now().await;
        bench.process.append(job(1), output(4)).await.expect("appended");
    };
    let (page, ()) = tokio::join!(within("an event", LONG, bench.process.follow(job(1), Some(id(1, 3)), 10)), appending);
    assert_eq!(page.expect("read").entries, vec![output(4)]);
}

/// A sender whose nudges had nowhere to go says so when it can.
#[tokio::test]
async fn the_others_are_told_that_they_missed_some() {
    let server = own!();
    let way = FaultProxy::start(server.port()).await;
    let other = Bench::on(&server.url());
    let sender = Bench::with(RedisOptions { url: through(&server.url(), way.port()), ..other.options.clone() });
    connected(&other.process).await;
    connected(&sender.process).await;
    let mut nudges = other.process.listen();
    eventually("the other hears it", LONG, async || {
        sender.process.nudge(Nudge::Kinds);
        tokio::time::timeout(SOON, nudges.next()).await.is_ok()
    })
    .await;
    way.set(Mode::Cut);
    eventually("the loss is noticed", LONG, async || !sender.process.is_connected()).await;
    let before = sender.process.nudges_dropped();
    sender.process.nudge(Nudge::Emissions);
    eventually("the nudge is given up", LONG, async || sender.process.nudges_dropped() > before).await;
    way.set(Mode::Pass);
    let told = async { while nudges.next().await.is_some() {} };
    within("they are told to look at everything", LONG, told).await;
}

/// What was done without our knowing is not done twice.
#[tokio::test]
async fn an_append_whose_reply_is_lost_may_be_repeated() {
    let server = own!();
    let way = FaultProxy::start(server.port()).await;
    let bench = Bench::on(&through(&server.url(), way.port()));
    bench.process.append(job(1), output(1)).await.expect("appended");
    way.lose_reply_to("line 2");
    bench.process.append(job(1), output(2)).await.expect_err("the reply is lost");
    again(&bench, 2).await;
    again(&bench, 3).await;
    let page = bench.process.read(job(1), None, 10).await.expect("read");
    assert_eq!((page.entries, page.gap), ((1..=3).map(output).collect(), false));
}

/// An account that may not use channels has a slow feed, and its log says so once.
#[tokio::test]
async fn without_channels_followers_look_by_themselves() {
    let server = own!();
    let bench = Bench::on(&server.url());
    let account = ["ACL", "SETUSER", "poor", "on", ">poor", "~*", "+@all", "resetchannels"];
    let _: String = redis::cmd(account[0]).arg(&account[1..]).query_async(&mut bench.raw().await).await.expect("made");
    let place = server.url().split_once('@').expect("it has a password").1.to_owned();
    let poor = Bench::on(&format!("redis://poor:poor@{place}"));
    connected(&poor.process).await;
    let appending = async {
        tokio::task::yield_now().await;
        poor.process.append(job(1), output(1)).await.expect("appended");
    };
    let (page, ()) = tokio::join!(within("an event", LONG, poor.process.follow(job(1), None, 10)), appending);
    assert_eq!(page.expect("read").entries, vec![output(1)]);
}

#[tokio::test]
async fn nothing_is_left_of_a_process_that_ended() {
    let server = own!();
    let bench = Bench::on(&server.url());
    connected(&bench.process).await;
    let mut raw = bench.raw().await;
    let mut clients = async || {
        let info: redis::InfoDict = redis::cmd("INFO").arg("clients").query_async(&mut raw).await.expect("answers");
        info.get::<usize>("connected_clients").expect("a count")
    };
    assert_eq!(clients().await, 3, "two of the process, and this");
    drop(bench);
    eventually("its connections are closed", LONG, async || clients().await == 1).await;
}

/// I10: who is refused reads why, and not the password.
#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let server = own!();
    let place = server.url().split_once('@').expect("it has a password").1.to_owned();
    let error = within("an error", LONG, Bench::on(&format!("redis://:hunter2@{place}")).process.ping()).await.expect_err("refused");
    let text = format!("{} {error:?}", telemetry::chain(&error));
    assert!(text.to_lowercase().contains("password"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    Bench::on(&format!("redis://{place}")).process.ping().await.expect_err("refused");
    Bench::on(&server.url()).process.ping().await.expect("let in");
}
