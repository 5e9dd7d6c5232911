//! What happens to one connection? Two pumps carry it, each piece as the mode of that moment says, until something closes it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Mode;
use super::lost::{Loss, Losses};

const PIECE_BYTES: usize = 64 * 1024;
/// A reply has been said in full when the server says nothing more for this long: only then is what it confirms surely done.
const REPLY_IS_OVER: Duration = Duration::from_millis(100);

/// What all connections of a proxy have in common.
#[derive(Clone)]
pub struct Link {
    pub target: u16,
    pub modes: watch::Receiver<Mode>,
    pub losses: Arc<Losses>,
}

impl Link {
    /// Carries a connection until it is closed by a side or by a fault.
    pub async fn carry(self, client: TcpStream) {
        let mode = *self.modes.borrow();
        let carried = async {
            match mode {
                Mode::HalfOpen => swallow(client).await,
                Mode::Pass | Mode::Cut | Mode::Delay(_) => self.connect(client).await,
            }
        };
        tokio::select! {
            () = carried => {}
            () = self.clone().closed(mode) => {}
        }
    }

    /// A server that is not there closes its clients' connections.
    async fn connect(&self, client: TcpStream) {
        if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target)).await {
            self.pump(client, server).await;
        }
    }

    /// When the mode becomes `Cut`, or was `HalfOpen` and no longer is.
    async fn closed(mut self, mut last: Mode) {
        loop {
            let now = *self.modes.borrow_and_update();
            if now == Mode::Cut || (last == Mode::HalfOpen && now != Mode::HalfOpen) {
                return;
            }
            last = now;
            if self.modes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Until the first of both directions ends.
    async fn pump(&self, client: TcpStream, server: TcpStream) {
        // A proxy that waits for more to send would delay without being asked.
        drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let loses_reply = AtomicBool::new(false);
        tokio::select! {
            () = self.requests(from_client, to_server, &loses_reply) => {}
            () = self.replies(from_server, to_client, &loses_reply) => {}
        }
        if loses_reply.load(Ordering::SeqCst) {
            self.losses.end();
        }
    }

    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, loses_reply: &AtomicBool) {
        let mut seen = Vec::new();
        let mut buffer = vec![0; PIECE_BYTES];
        while let Some(piece) = read(&mut from, &mut buffer).await {
            seen.extend_from_slice(piece);
            match self.losses.begin(&seen) {
                Some(Loss::Request) => return self.losses.end(),
                // Before the request goes, because the reply may be there at once.
                Some(Loss::Reply) => loses_reply.store(true, Ordering::SeqCst),
                None => {}
            }
            let forgotten = seen.len().saturating_sub(self.losses.memory());
            seen.drain(..forgotten);
            if self.pass_on(piece, &mut to).await.is_err() {
                return;
            }
        }
    }

    async fn replies(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, loses_reply: &AtomicBool) {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Some(piece) = read(&mut from, &mut buffer).await {
            if loses_reply.load(Ordering::SeqCst) {
                while let Ok(Some(_swallowed)) = timeout(REPLY_IS_OVER, read(&mut from, &mut buffer)).await {}
                return;
            }
            if self.pass_on(piece, &mut to).await.is_err() {
                return;
            }
        }
    }

    /// As the mode of this moment says.
    async fn pass_on(&self, piece: &[u8], to: &mut OwnedWriteHalf) -> std::io::Result<()> {
        let mode = *self.modes.borrow();
        if let Mode::Delay(delay) = mode {
            sleep_until(Instant::now() + delay).await;
        }
        if *self.modes.borrow() == Mode::HalfOpen {
            return Ok(());
        }
        to.write_all(piece).await
    }
}

/// The next piece, or `None` at the end.
async fn read<'a>(from: &mut OwnedReadHalf, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let count = from.read(buffer).await.ok().filter(|count| *count > 0)?;
    Some(&buffer[..count])
}

/// Takes everything and answers nothing.
async fn swallow(mut client: TcpStream) {
    let mut buffer = vec![0; PIECE_BYTES];
    while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}
