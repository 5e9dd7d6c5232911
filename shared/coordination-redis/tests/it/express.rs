//! What may Redis do to the express lane? Nothing that lasts: hints get lost, and later ones come.

use std::sync::Arc;
use std::time::Duration;

use coordination::contract::express::hint;
use coordination::{Express, ExpressHint, ExpressStop};
use domain::bounds::{EXPRESS_HINTS_MAX, EXPRESS_KEPT};
use domain::{Class, Priority, QueueName};
use testkit::servers::{PrivateRedis, Stop, through};
use testkit::{FaultProxy, Mode, eventually, within};
use tokio::time::Instant;

use crate::bench::{Bench, LONG, NOT_INSTALLED, connected};

macro_rules! own {
    () => {
        match PrivateRedis::start().await {
            Some(server) => server,
            None => testkit::skip!("redis", NOT_INSTALLED),
        }
    };
}

fn normal(number: u8) -> ExpressHint {
    hint(number, "q", Priority::Normal)
}

/// Offers until one arrives: those that leave while the lane is away are lost.
async fn again(bench: &Bench, stop: &dyn ExpressStop) {
    eventually("a hint arrives", LONG, async || {
        bench.process.offer(normal(1));
        tokio::time::timeout(Duration::from_millis(100), stop.take()).await.is_ok()
    })
    .await;
}

/// Takes what earlier offers left behind.
async fn emptied(stop: &dyn ExpressStop) {
    while tokio::time::timeout(Duration::from_millis(300), stop.take()).await.is_ok() {}
}

#[tokio::test]
async fn the_lane_outlives_a_redis_that_is_away_and_comes_back() {
    let server = own!();
    server.stop(Stop::AtOnce).await;
    let bench = Bench::on(&server.url());
    let stop = bench.process.stop(&[QueueName::of("q")]);
    eventually("the absence is noticed", LONG, async || !bench.process.offer(normal(1))).await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), stop.take()).await;
    assert!(waiting.is_err(), "nothing comes from nowhere");
    for _ in 0..2 {
        server.restart().await;
        again(&bench, &*stop).await;
        server.stop(Stop::AtOnce).await;
        eventually("the absence is noticed", LONG, async || !bench.process.offer(normal(1))).await;
    }
}

/// A Redis that keeps its connections and says nothing: offers take no time, and find an end.
#[tokio::test]
async fn a_silent_redis_holds_no_offer_and_is_used_again() {
    let server = own!();
    let bench = Bench::on(&server.url());
    let stop = bench.process.stop(&[QueueName::of("q")]);
    again(&bench, &*stop).await;
    server.freeze().await;
    let since = Instant::now();
    let taken = (0..=255).filter(|number| bench.process.offer(normal(*number))).count();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(taken < 255, "I7: what waits to leave is bounded, not {taken}");
    let waiting = tokio::time::timeout(Duration::from_secs(4), stop.take()).await;
    assert!(waiting.is_err(), "a silent Redis gives nothing");
    server.thaw().await;
    emptied(&*stop).await;
    again(&bench, &*stop).await;
}

/// The waiting connection alone is lost, also when nobody says so.
#[tokio::test]
async fn who_waits_on_a_dead_connection_gets_another_one() {
    let server = own!();
    let bench = Bench::on(&server.url());
    let way = FaultProxy::start(server.port()).await;
    let far = Bench::with(coordination_redis::RedisOptions { url: through(&server.url(), way.port()), ..bench.options.clone() });
    let stop = far.process.stop(&[QueueName::of("q")]);
    for mode in [Mode::Cut, Mode::HalfOpen] {
        again(&bench, &*stop).await;
        way.set(mode);
        eventually("the loss is noticed", LONG, async || !far.process.is_connected()).await;
        way.set(Mode::Pass);
        emptied(&*stop).await;
    }
    again(&bench, &*stop).await;
}

/// Hints for a class that nobody comes for are few, and gone after a while. I7.
#[tokio::test]
async fn lists_are_short_and_go_by_themselves() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    connected(&bench.process).await;
    for number in 0..=255 {
        while !bench.process.offer(normal(number)) {
            tokio::task::yield_now().await;
        }
    }
    let list = format!("{}:express:q.p2", bench.options.prefix);
    let mut raw = bench.raw().await;
    let last = normal(255).emission.id.to_string();
    eventually("the last has arrived", LONG, async || {
        let newest: Option<String> = redis::cmd("LINDEX").arg(&list).arg(0).query_async(&mut raw).await.expect("answers");
        newest.is_some_and(|newest| newest.contains(&last))
    })
    .await;
    let mut raw = bench.raw().await;
    let length: usize = redis::cmd("LLEN").arg(&list).query_async(&mut raw).await.expect("answers");
    assert_eq!(length, EXPRESS_HINTS_MAX);
    let left: i64 = redis::cmd("PTTL").arg(&list).query_async(&mut raw).await.expect("answers");
    assert!((1..=i64::try_from(EXPRESS_KEPT.as_millis()).expect("short")).contains(&left), "{left} ms are left");
}

/// Another version, or somebody else, wrote it.
#[tokio::test]
async fn what_is_no_ticket_is_passed_over() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    connected(&bench.process).await;
    let stop = bench.process.stop(&[QueueName::of("q")]);
    let list = format!("{}:express:q.p2", bench.options.prefix);
    let mut raw = bench.raw().await;
    let rubbish: &[&[u8]] = &[b"\xff\x00", b"{}", br#"{"v":9}"#, b""];
    for text in rubbish {
        let _: usize = redis::cmd("LPUSH").arg(&list).arg(*text).query_async(&mut raw).await.expect("pushed");
    }
    bench.process.offer(normal(1));
    assert_eq!(within("the hint", LONG, stop.take()).await, normal(1));
}

/// A worker that is gone takes nothing with it, but what was under way.
#[tokio::test]
async fn who_is_gone_takes_nothing() {
    let server = own!();
    let bench = Bench::on(&server.url());
    connected(&bench.process).await;
    let (gone, stays) = (bench.process.stop(&[QueueName::of("q")]), bench.process.stop(&[QueueName::of("q")]));
    for stop in [&gone, &stays] {
        bench.process.offer(normal(1));
        within("the hint", LONG, stop.take()).await;
    }
    let mut raw = bench.raw().await;
    let mut clients = async || {
        let info: redis::InfoDict = redis::cmd("INFO").arg("clients").query_async(&mut raw).await.expect("answers");
        info.get::<usize>("connected_clients").expect("a count")
    };
    assert_eq!(clients().await, 5, "two of the process, one of each who waits, and this");
    drop(gone);
    eventually("its connection is closed", LONG, async || clients().await == 4).await;
    for number in 1..=10 {
        bench.process.offer(normal(number));
        assert_eq!(within("every hint", LONG, stays.take()).await, normal(number));
    }
}

/// While nobody waits, Redis keeps the hints for those who do.
#[tokio::test]
async fn hints_are_taken_only_while_somebody_waits() {
    let Some(bench) = Bench::shared() else { testkit::skip!("redis", testkit::servers::HOW) };
    connected(&bench.process).await;
    let (busy, free) = (bench.process.stop(&[QueueName::of("q")]), bench.process.stop(&[QueueName::of("q")]));
    bench.process.offer(normal(1));
    within("the hint", LONG, busy.take()).await;
    let class = Class { queue: QueueName::of("q"), priority: Priority::Normal };
    let taking = async {
        for number in 1..=10 {
            bench.process.offer(normal(number));
            let taken = free.take().await;
            assert_eq!((taken.emission.class, taken.emission.id), (class.clone(), normal(number).emission.id));
        }
    };
    within("whoever waits has them all", LONG, taking).await;
    drop(busy);
}

impl coordination::contract::express::ExpressFixture for Bench {
    async fn express(&self) -> Arc<dyn Express> {
        connected(&self.process).await;
        Arc::clone(&self.process) as _
    }
}
