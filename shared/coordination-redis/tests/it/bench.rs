//! What the tests here share: processes of a fleet (one instance each), and a client that looks behind them.

use std::sync::Arc;
use std::time::Duration;

use coordination::contract::Fixture;
use coordination::{Feed, FeedEntry, FeedEvent, FeedId, Nudges};
use coordination_redis::{RedisCoordination, RedisOptions};
use domain::JobId;
use redis::aio::MultiplexedConnection;

/// Why a test that needs a server of its own is skipped.
pub const NOT_INSTALLED: &str = "there is no `redis-server` on this machine";
pub const LONG: Duration = Duration::from_secs(30);

/// One process, under a prefix of its own.
pub struct Bench {
    pub options: RedisOptions,
    pub process: Arc<RedisCoordination>,
}

impl Bench {
    /// On the server that all tests share; `None` without one.
    pub fn shared() -> Option<Self> {
        Some(Self::on(&testkit::servers::redis()?.url()))
    }

    pub fn on(url: &str) -> Self {
        Self::with(RedisOptions { prefix: testkit::servers::unique_name("feed"), ..RedisOptions::new(url) })
    }

    pub fn with(options: RedisOptions) -> Self {
        let process = open(&options);
        Self { options, process }
    }

    /// Another process of the same fleet.
    pub fn another(&self) -> Arc<RedisCoordination> {
        open(&self.options)
    }

    /// The name of a key or channel.
    pub fn name(&self, kind: &str, job: JobId) -> String {
        format!("{}:{kind}:{job}", self.options.prefix)
    }

    /// Redis itself.
    pub async fn raw(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.options.url.as_str()).expect("a URL");
        client.get_multiplexed_async_connection().await.expect("connects")
    }
}

impl Fixture for Bench {
    fn feed(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.process) as _
    }

    fn nudges(&self) -> Arc<dyn Nudges> {
        Arc::clone(&self.process) as _
    }
}

fn open(options: &RedisOptions) -> Arc<RedisCoordination> {
    Arc::new(RedisCoordination::open(options.clone()).expect("the options are good"))
}

pub async fn connected(process: &RedisCoordination) {
    testkit::eventually("it is connected", LONG, async || process.is_connected()).await;
}

pub fn job(n: u128) -> JobId {
    JobId::from_bytes(n.to_be_bytes())
}

pub fn id(run: u32, seq: u64) -> FeedId {
    FeedId { run, seq }
}

pub fn output(seq: u64) -> FeedEntry {
    FeedEntry { id: id(1, seq), event: FeedEvent::Output { text: format!("line {seq}") } }
}
