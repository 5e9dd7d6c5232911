//! How does a test come between a client and a server? With a proxy that can be slow, fall silent, cut, reset, close late, and lose
//! one request or reply. It counts what it did, because a fault that changed nothing proves nothing.

mod link;
mod lost;
mod mode;
mod pump;
mod tally;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::eventually::eventually;
use link::Link;
use lost::{Loss, Losses};
use mode::Now;
use tally::Tally;

pub use mode::{Mode, Slow, Towards};
pub use tally::Counts;

/// A TCP proxy on a free port of the loopback interface; dropping it closes everything.
pub struct FaultProxy {
    port: u16,
    target: Arc<AtomicU16>,
    now: watch::Sender<Now>,
    losses: Arc<Losses>,
    tally: Arc<Tally>,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// Before the server on `target`, a port of the loopback interface. It need not listen yet.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(target: u16) -> Self {
        // Not one given by the system (`:0`): after a cut the same port must be free again.
        let port = private_servers::free_port().unwrap_or_else(|error| panic!("a proxy has no port: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.unwrap_or_else(|error| panic!("a proxy cannot listen: {error}"));
        let (now, modes) = watch::channel(Now::PASS);
        let (losses, tally) = (Arc::new(Losses::default()), Arc::new(Tally::default()));
        let target = Arc::new(AtomicU16::new(target));
        let link = Link { target: target.clone(), modes, losses: losses.clone(), tally: tally.clone(), lines: Arc::default() };
        let serving = tokio::spawn(serve(listener, port, link));
        Self { port, target, now, losses, tally, serving }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, also for connections that are open. What [`Mode::Cut`] and [`Mode::Reset`] close stays closed, however soon the
    /// next mode follows.
    pub fn set(&self, mode: Mode) {
        self.now.send_modify(|now| now.turn(mode));
    }

    /// New connections go to another port, as after a failover. Those that are open stay where they are.
    pub fn retarget(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }

    /// What it has carried and done so far.
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Lets the next request that contains `bytes` through, swallows what the server says to it, and closes that connection: the
    /// server has done it, and the client does not know.
    pub fn lose_reply_to(&self, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(None, bytes.into(), Loss::Reply);
    }

    /// The same on a connection that has carried `before` from now on: the reply to the `commit` of that which says so.
    pub fn lose_reply_after(&self, before: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(Some(before.into()), bytes.into(), Loss::Reply);
    }

    /// Closes the connection on which the next request that contains `bytes` is made, before the server sees the end of it.
    pub fn lose_request(&self, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(None, bytes.into(), Loss::Request);
    }

    /// On a connection that has carried `before` from now on, the next request that contains `bytes` does not arrive, nor anything
    /// after it, and the connection stays open: time to kill who made it.
    pub fn hold_back_after(&self, before: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(Some(before.into()), bytes.into(), Loss::Rest);
    }

    /// Waits until every planned loss has happened.
    ///
    /// # Panics
    /// When it has not `within` the deadline.
    pub async fn lost(&self, within: Duration) {
        eventually("what was to be lost is lost", within, async || self.losses.are_done()).await;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Accepts while the port is open, and opens it again after a cut.
async fn serve(listener: TcpListener, port: u16, link: Link) {
    let mut links = JoinSet::new();
    let mut modes = link.modes.clone();
    let mut listener = Some(listener);
    loop {
        let now = *modes.borrow_and_update();
        if now.mode == Mode::Cut {
            listener = None;
        } else if listener.is_none() {
            listener = Some(reopen(port).await);
        }
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            Some(client) = accept(listener.as_ref()) => {
                let born = *modes.borrow();
                drop(links.spawn(link.clone().carry(client, born)));
            }
            Some(_ended) = links.join_next() => {}
        }
    }
}

/// Never, when the port is closed.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let listener = listener?;
    loop {
        // An error concerns a client that has gone again.
        if let Ok((client, _)) = listener.accept().await {
            return Some(client);
        }
        tokio::task::yield_now().await;
    }
}

/// # Panics
/// When somebody else has taken the port meanwhile.
async fn reopen(port: u16) -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap_or_else(|error| panic!("a proxy cannot listen again: {error}"))
}

#[cfg(test)]
mod tests;
