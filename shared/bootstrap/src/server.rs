//! How does every program of ours serve HTTP? One accept loop: a bound on connections, deadlines on each, an end within a bound.
//!
//! Nothing a caller does or leaves undone keeps a connection for ever: a head has a deadline, an idle connection is closed, and so
//! is one whose caller does not take its answer. Bodies have theirs where they are read.

mod connection;
mod descriptors;
mod pulse;
mod turn_away;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use domain::bounds::TURNED_AWAY_MAX;
use telemetry::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::House;

/// How long nothing is accepted after the system had no room for another connection: each try would fail the same way.
const BACKS_OFF: Duration = Duration::from_millis(500);
/// How long connections that are cut off may take to go.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// What one server allows.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Open connections; one more is told to come again.
    pub connections_max: usize,
    /// A request's head must be there within this time from its first byte; the first one, from the start of its connection.
    pub head_within: Duration,
    /// A connection on which nothing is asked is kept this long.
    pub idle_for: Duration,
    /// The same while nearly all places are taken.
    pub idle_for_when_crowded: Duration,
    /// A caller must take something of its answer within this time.
    pub taken_within: Duration,
    /// How long requests in flight may take after the stop; later ones are cut off. What they recorded stays recorded.
    pub stops_within: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            head_within: Duration::from_secs(10),
            // Longer than most clients keep theirs: who closes second does not send into a closed connection.
            idle_for: Duration::from_secs(100),
            idle_for_when_crowded: Duration::from_secs(5),
            taken_within: Duration::from_secs(30),
            stops_within: Duration::from_secs(10),
        }
    }
}

/// HTTP/1.1 and, for those who begin with it, HTTP/2 on one listener. Requests carry their peer as axum's `ConnectInfo`.
pub struct Server {
    pub listener: TcpListener,
    pub router: Router,
    pub limits: ServerLimits,
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Answers requests until `stop`, then takes no new ones and waits for those in flight, as long as its limits say.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, router, mut limits, metrics } = self;
        limits.connections_max = descriptors::affordable(limits.connections_max);
        let house = Arc::new(House::new(router, limits, metrics, stop.clone()));
        let (connections, leavers) = (TaskTracker::new(), Arc::new(Semaphore::new(TURNED_AWAY_MAX)));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => open(&house, &connections, &leavers, (stream, peer)),
                Err(error) if is_of_the_caller(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted for a moment");
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = sleep_until(Instant::now() + BACKS_OFF) => {}
                    }
                }
            }
        }
        // Nobody is to wait in a backlog that is not looked at any more.
        drop(listener);
        connections.close();
        if timeout(limits.stops_within, connections.wait()).await.is_err() {
            tracing::warn!(count = connections.len(), "some requests did not end in time and are cut off");
            house.cut.cancel();
            // They only have to notice.
            let _ = timeout(CUT_WITHIN, connections.wait()).await;
        }
    }
}

fn open(house: &Arc<House>, connections: &TaskTracker, leavers: &Arc<Semaphore>, (stream, peer): (TcpStream, SocketAddr)) {
    if let Ok(place) = Arc::clone(&house.places).try_acquire_owned() {
        let house = Arc::clone(house);
        // A task of its own: a panic in it ends this connection and nothing else.
        connections.spawn(async move {
            house.metrics.http_connections.inc();
            let _leaves = Leaves(&house);
            connection::attend(stream, peer, &house).await;
            drop(place);
        });
        return;
    }
    house.metrics.http_shed.with_label_values(&["connections"]).inc();
    if let Ok(place) = Arc::clone(leavers).try_acquire_owned() {
        connections.spawn(async move {
            turn_away::turn_away(stream).await;
            drop(place);
        });
    }
}

/// Counts a connection out, however it ends.
struct Leaves<'a>(&'a House);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.metrics.http_connections.dec();
    }
}

/// The caller was gone before it was let in; the next one is not concerned.
fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
