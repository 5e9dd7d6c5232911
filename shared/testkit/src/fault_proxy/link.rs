//! What happens to one connection? Two pumps carry it, until a side or a fault closes it.

use std::future::pending;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::lost::{Loss, Losses, Said};
use super::mode::{Mode, Now, Towards};
use super::pump::{Fate, Line, Over, Pump};
use super::tally::Tally;

/// What all connections of a proxy have in common.
#[derive(Clone)]
pub struct Link {
    pub target: Arc<AtomicU16>,
    pub modes: watch::Receiver<Now>,
    pub losses: Arc<Losses>,
    pub tally: Arc<Tally>,
    pub lines: Arc<[Line; 2]>,
}

impl Link {
    /// Carries a connection until it is closed by a side or by a fault. `born` is the state in which it was accepted.
    pub async fn carry(self, mut client: TcpStream, born: Now) {
        let connection = self.tally.opened();
        let (mut server, loses_reply) = (None, AtomicBool::new(false));
        let severed = tokio::select! {
            biased;
            by_reset = self.severed(born) => Some(by_reset),
            () = self.carried(&mut client, &mut server, (connection, born.mode), &loses_reply) => None,
        };
        if loses_reply.load(Ordering::SeqCst) {
            self.lost();
        }
        if severed.is_some() {
            self.tally.bite();
        }
        if severed == Some(true) {
            // An error means that it is gone already.
            drop(client.set_zero_linger());
            drop(server.as_ref().map(TcpStream::set_zero_linger));
        }
        drop((client, server));
        self.tally.ended();
    }

    pub fn mode(&self) -> Mode {
        self.modes.borrow().mode
    }

    pub fn line(&self, towards: Towards) -> &Line {
        &self.lines[usize::from(towards == Towards::Server)]
    }

    /// A server that is not there closes its clients' connections.
    async fn carried(
        &self,
        client: &mut TcpStream,
        server: &mut Option<TcpStream>,
        (connection, mode): (u64, Mode),
        loses_reply: &AtomicBool,
    ) {
        if mode == Mode::HalfOpen {
            return self.swallow(client).await;
        }
        let target = self.target.load(Ordering::SeqCst);
        if let Ok(connected) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await {
            self.pump(client, server.insert(connected), connection, loses_reply).await;
        }
    }

    /// Takes everything and answers nothing.
    async fn swallow(&self, client: &mut TcpStream) {
        let mut buffer = [0; 4096];
        while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {
            self.tally.bite();
        }
    }

    /// When everything that was open then is closed; whether by a reset.
    async fn severed(&self, born: Now) -> bool {
        if born.mode == Mode::Reset {
            return true;
        }
        let mut modes = self.modes.clone();
        match modes.wait_for(|now| now.severed != born.severed).await {
            Ok(now) => now.by_reset,
            Err(_) => false,
        }
    }

    /// Until the first of both directions ends, and the end may be passed on.
    async fn pump(&self, client: &mut TcpStream, server: &mut TcpStream, connection: u64, loses_reply: &AtomicBool) {
        // A proxy that waits for more to send would delay without being asked.
        drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let pump = |towards| Pump { link: self, towards, connection };
        let (to_the_server, to_the_client) = (pump(Towards::Server), pump(Towards::Client));
        let mut said = Said::default();
        let fate_of_request = |piece: &[u8]| self.fate_of_request(piece, &mut said, loses_reply);
        let fate_of_reply = |_: &[u8]| if loses_reply.load(Ordering::SeqCst) { Fate::Swallow } else { Fate::Carry };
        let mut requests = pin!(to_the_server.run(from_client, to_server, fate_of_request));
        let mut replies = pin!(to_the_client.run(from_server, to_client, fate_of_reply));
        tokio::select! {
            over = &mut requests => if over == Over::Closed { self.end_held_back(replies).await },
            over = &mut replies => if over == Over::Closed { self.end_held_back(requests).await },
        }
    }

    fn fate_of_request(&self, piece: &[u8], said: &mut Said, loses_reply: &AtomicBool) -> Fate {
        match self.losses.begin(piece, said) {
            Some(Loss::Request) => {
                self.lost();
                Fate::Close
            }
            Some(Loss::Rest) => {
                self.lost();
                Fate::CarryNoMore
            }
            Some(Loss::Reply) => {
                // Before the request goes, because the reply may be there at once.
                loses_reply.store(true, Ordering::SeqCst);
                Fate::Carry
            }
            None => Fate::Carry,
        }
    }

    fn lost(&self) {
        self.tally.bite();
        self.losses.end();
    }

    /// One side has gone; as long as the mode wants it, the other does not learn of it, and what it says goes nowhere.
    async fn end_held_back(&self, other: impl Future) {
        let (ended, mut modes) = (Instant::now(), self.modes.clone());
        let held_back = async {
            loop {
                let until = match modes.borrow_and_update().mode {
                    Mode::SlowClose(by) => Some(ended + by),
                    // Until everything that went silent is closed.
                    Mode::HalfOpen => None,
                    Mode::Pass | Mode::Cut | Mode::Reset | Mode::Delay(_) | Mode::Slow(_) => return,
                };
                self.tally.bite();
                let changed = match until {
                    Some(until) => timeout_at(until, modes.changed()).await,
                    None => Ok(modes.changed().await),
                };
                if !matches!(changed, Ok(Ok(()))) {
                    return;
                }
            }
        };
        let other = async {
            let _over = other.await;
            pending().await
        };
        tokio::select! {
            () = held_back => {}
            () = other => {}
        }
    }
}
