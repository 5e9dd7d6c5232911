//! How does a test come between a client and a server? With a proxy that can delay, fall silent, cut, and lose one reply.

mod link;
mod lost;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::eventually::eventually;
use link::Link;
use lost::{Loss, Losses};

/// What the proxy does with what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Pass,
    /// Closes all connections; the port is closed, new ones are refused.
    Cut,
    /// As a peer behind a broken network: connections are accepted and stay open, what is sent is taken, nothing is ever answered.
    /// What has gone silent does not come back: with the next mode it is closed.
    HalfOpen,
    /// Holds back each piece of data, in each direction, for this long.
    Delay(Duration),
}

/// A TCP proxy on a free port of the loopback interface; dropping it closes everything.
pub struct FaultProxy {
    port: u16,
    mode: watch::Sender<Mode>,
    losses: Arc<Losses>,
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
        let (mode, modes) = watch::channel(Mode::Pass);
        let losses = Arc::new(Losses::default());
        let link = Link { target, modes, losses: Arc::clone(&losses) };
        let serving = tokio::spawn(serve(listener, port, link));
        Self { port, mode, losses, serving }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, also for connections that are open.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Lets the next request that contains `bytes` through, swallows what the server says to it, and closes that connection: the
    /// server has done it, and the client does not know.
    pub fn lose_reply_to(&self, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(bytes.into(), Loss::Reply);
    }

    /// Closes the connection on which the next request that contains `bytes` is made, before the server sees the end of it.
    pub fn lose_request(&self, bytes: impl Into<Vec<u8>>) {
        self.losses.plan(bytes.into(), Loss::Request);
    }

    /// Waits until everything planned by [`FaultProxy::lose_reply_to`] and [`FaultProxy::lose_request`] has happened.
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
        let mode = *modes.borrow_and_update();
        if mode == Mode::Cut {
            listener = None;
        } else if listener.is_none() {
            listener = Some(reopen(port).await);
        }
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            Some(client) = accept(listener.as_ref()) => drop(links.spawn(link.clone().carry(client))),
            Some(_ended) = links.join_next() => {}
        }
    }
}

/// Never, when the port is closed.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        // An error concerns a client that has gone again.
        Some(listener) => listener.accept().await.ok().map(|(client, _)| client),
        None => None,
    }
}

/// # Panics
/// When somebody else has taken the port meanwhile.
async fn reopen(port: u16) -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap_or_else(|error| panic!("a proxy cannot listen again: {error}"))
}

#[cfg(test)]
mod tests;
