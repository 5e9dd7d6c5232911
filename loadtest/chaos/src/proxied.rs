//! How does a test break the ways of one process, and of nobody else? It starts it behind proxies of its own.

use flotilla_client::Client;
use testkit::{Counts, FaultProxy, Mode, Slow, Towards, eventually, servers};

use crate::fleet::{Fleet, SOON};
use crate::process::Process;
use crate::servers::Servers;

/// Of an id in a hint.
const ID_BYTES: usize = 16;

/// A role whose ways to the database and the broker can be broken.
pub struct Proxied {
    pub process: Process,
    pub database: FaultProxy,
    pub broker: FaultProxy,
}

impl Proxied {
    /// One that is ready, with settings of its own.
    ///
    /// # Panics
    /// When there are no servers, which `fresh_servers!` has looked for.
    pub async fn start(fleet: &Fleet, servers: &Servers, role: &str, own: &[(&'static str, String)]) -> Self {
        let database = FaultProxy::start(servers::postgres().expect("asked before").port()).await;
        let broker = FaultProxy::start(servers::rabbitmq().expect("asked before").port()).await;
        let mut settings = vec![
            ("FLOTILLA_DATABASE_URL", servers::through(&servers.database.url(), database.port())),
            ("FLOTILLA_BROKER_URL", servers::through(&servers.vhost.url(), broker.port())),
        ];
        settings.extend_from_slice(own);
        let process = fleet.start(role, &settings).await;
        process.ready().await;
        Self { process, database, broker }
    }

    /// A producer that can send hints: one that is ready need not yet.
    ///
    /// # Panics
    /// When it cannot, before long.
    pub async fn producer(fleet: &Fleet, servers: &Servers) -> (Self, Client) {
        let producer = Self::start(fleet, servers, "producer", &[]).await;
        let sends = async || producer.process.metric_of("flotilla_broker_state", "state=\"sending\"").await == 1.0;
        eventually("it can send hints", SOON, sends).await;
        let client = fleet.client(&producer.process);
        (producer, client)
    }

    /// A worker of this role with so many slots.
    pub async fn worker(fleet: &Fleet, servers: &Servers, role: &str, slots: u32) -> Self {
        Self::start(fleet, servers, role, &[("FLOTILLA_WORKER_SLOTS", slots.to_string())]).await
    }

    /// From now on it does not hear what the broker says: neither that it has a hint nor that it is alive.
    pub fn deafen(&self) -> Counts {
        self.broker.set(Mode::Slow(Slow::by(SOON * 10).towards(Towards::Client)));
        self.broker.counts()
    }

    /// Waits until it has published hints since then, and the broker has said that it has some.
    ///
    /// # Panics
    /// When it does not.
    pub async fn published(&self, since: Counts, jobs: usize) {
        let ids = (ID_BYTES * jobs) as u64;
        eventually("hints are published and confirmed", SOON, async || {
            let now = self.broker.counts();
            now.to_server_bytes >= since.to_server_bytes + ids && now.bites > since.bites
        })
        .await;
    }

    /// Waits until the losses that were planned on its way to the database have happened.
    ///
    /// # Panics
    /// When they do not.
    pub async fn lost(&self) {
        self.database.lost(SOON).await;
        assert!(self.database.counts().bites > 0, "nothing was lost");
    }
}
